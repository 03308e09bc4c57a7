import { scopesFor, type OpenApi } from '../api/openapi.ts';
import { isMedia, type ApiRoute } from '../api/declare.ts';
import type { SettingGroup } from '../../config/setting.ts';

/** The API for a person to read: every route with what it does, who may and what it takes. */
export interface ApiPage {
  groups: { name: SettingGroup; label: string }[];
  group: 'api-tokens';
  base: string;
  documentHref: string;
  sections: { name: string; id: string; routes: RouteLine[] }[];
}

export interface RouteLine {
  method: string;
  path: string;
  /** words, and names of fields among them */
  does: { text: string; code: boolean }[];
  /** scopes of a token that open it, the smallest first; empty: none does */
  scopes: string[];
  takes: InputLine[];
  /** media type, where it is no JSON */
  answers: string;
}

export interface InputLine {
  name: string;
  needed: boolean;
  /** "text", "whole number", "high, normal or low" */
  kind: string;
}

export function apiPage(routes: readonly ApiRoute[], document: OpenApi, base: string): Pick<ApiPage, 'base' | 'sections'> {
  const names = [...new Set(routes.map((route) => route.in))];
  return {
    base,
    sections: names.map((name) => ({
      name,
      id: name.toLowerCase().replaceAll(/\W+/g, '-'),
      routes: routes.filter((route) => route.in === name).map((route) => line(route, document, base)),
    })),
  };
}

function line(route: ApiRoute, document: OpenApi, base: string): RouteLine {
  const operation = document.paths[base + route.path.replace(/:(\w+)/g, '{$1}')]![route.method.toLowerCase()]!;
  const query = (operation.parameters ?? []).filter((p) => p.in === 'query');
  const body = operation.requestBody?.content['application/json']!.schema as Shape | undefined;
  return {
    method: route.method,
    path: base + route.path,
    does: route.does.split('`').map((text, i) => ({ text, code: i % 2 === 1 })),
    scopes: scopesFor(route.right),
    takes: [
      ...query.map(({ name, required, schema }) => ({ name, needed: required, kind: kindOf(schema as Shape) })),
      ...(body ? fieldsOf(body) : []),
    ],
    answers: isMedia(route.answer) ? route.answer.media : '',
  };
}

interface Shape {
  type?: string;
  enum?: unknown[];
  const?: unknown;
  anyOf?: Shape[];
  properties?: Record<string, Shape>;
  required?: string[];
  items?: Shape;
  pattern?: string;
}

/** Of several shapes every field once; needed is what all of them need. */
function fieldsOf(shape: Shape): InputLine[] {
  const shapes = shape.anyOf ?? [shape];
  const names = [...new Set(shapes.flatMap((one) => Object.keys(one.properties ?? {})))];
  return names.map((name) => ({
    name,
    needed: shapes.every((one) => one.required?.includes(name)),
    kind: kindOf(shapes.find((one) => one.properties?.[name])!.properties![name]!),
  }));
}

function kindOf({ type, enum: names, const: only, anyOf, items, pattern }: Shape): string {
  if (only !== undefined) return JSON.stringify(only);
  if (names) return names.length > 12 ? 'a code' : names.join(', ');
  if (anyOf) return anyOf.map((one) => (one.type === 'null' ? 'null' : kindOf(one))).join(' or ');
  if (type === 'array') return `list${items ? ` of ${kindOf(items)}` : ''}`;
  if (type === 'string') return pattern?.startsWith('^[1-9]') || pattern?.startsWith('^\\d') ? 'number' : 'text';
  return { integer: 'whole number', number: 'number', boolean: 'true or false', object: 'object', null: 'null' }[type ?? ''] ?? 'any value';
}
