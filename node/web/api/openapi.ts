import { toJsonSchema, toJsonSchemaDefs, type ConversionConfig, type JsonSchema } from '@valibot/to-json-schema';
import type * as v from 'valibot';
import { scopes, scopesAllow, type Right } from '../../core/access.ts';
import { reason } from './answers.ts';
import { isMedia, type ApiRoute, type ErrorStatus, type Schema } from './declare.ts';
import { jobAnswer, jobDetailAnswer } from './job-answer.ts';
import { nodeAnswer } from './node-answer.ts';
import { errorAnswer, type ErrorAnswer } from './problem.ts';
import { messageAnswer, pathAnswer, sourceLibraryAnswer } from './source-answer.ts';

/**
 * The document of the API (OpenAPI 3.1), made of the declarations alone. An answer may get further fields in a later version, so
 * its schemas are open; an input is closed, because a field that nobody knows is a typing error.
 */
export interface OpenApi {
  openapi: '3.1.0';
  info: { title: string; version: string; description: string };
  servers: { url: string }[];
  tags: { name: string }[];
  paths: Record<string, Record<string, Operation>>;
  components: { schemas: Record<string, object>; securitySchemes: Record<string, object> };
}

export interface Operation {
  operationId: string;
  tags: string[];
  summary: string;
  description: string;
  security: Record<string, string[]>[];
  parameters?: Parameter[];
  requestBody?: { required: boolean; content: Record<string, { schema: object }> };
  responses: Record<string, { description: string; content?: Record<string, { schema?: object; example?: unknown }> }>;
}

interface Parameter {
  name: string;
  in: 'path' | 'query';
  required: boolean;
  schema: object;
}

/** What several answers share, by the names that the document gives it. */
const shared: Record<string, Schema> = {
  Error: errorAnswer,
  Reason: reason,
  Job: jobAnswer,
  JobDetail: jobDetailAnswer,
  Node: nodeAnswer,
  SourceLibrary: sourceLibraryAnswer,
  SourcePath: pathAnswer,
  SourceMessage: messageAnswer,
};

const conversion: ConversionConfig = {
  target: 'draft-2020-12',
  typeMode: 'input',
  // what a program checks by itself: the words for it are in the answer 422
  ignoreActions: ['check'],
  overrideRef: ({ referenceId }) => `#/components/schemas/${referenceId}`,
};

export function openApi(routes: readonly ApiRoute[], base: string, version: string): OpenApi {
  const paths: OpenApi['paths'] = {};
  for (const route of routes) {
    const path = base + route.path.replace(/:(\w+)/g, '{$1}');
    (paths[path] ??= {})[route.method.toLowerCase()] = operation(route);
  }
  const schemas = Object.entries(toJsonSchemaDefs(shared, conversion)).map(([name, schema]) => [name, opened(schema)]);
  return {
    openapi: '3.1.0',
    info: {
      title: 'CodecShift',
      version,
      description:
        'Everything that the dashboard can do, as JSON. A program shows a token: “Authorization: Bearer cs_…”. Sizes are bytes; times are ISO 8601 in UTC, or milliseconds where the name ends in Ms. A list is read on with the cursor of its answer.',
    },
    servers: [{ url: '/' }],
    tags: [...new Set(routes.map((route) => route.in))].map((name) => ({ name })),
    paths,
    components: {
      schemas: Object.fromEntries(schemas),
      securitySchemes: {
        token: {
          type: 'http',
          scheme: 'bearer',
          description: 'A token of the page Tokens, with at least one of the scopes that are named.',
        },
        machine: {
          type: 'http',
          scheme: 'bearer',
          description: 'The command line of the machine itself, by the secret in its data directory.',
        },
      },
    },
  };
}

/** Which scopes of a token open this right. */
export function scopesFor(right: Right): string[] {
  return scopes.filter((scope) => scopesAllow([scope], right));
}

function operation(route: ApiRoute): Operation {
  const [summary = '', ...more] = route.does.split(/(?<=\.) /);
  const parameters = [...pathParameters(route), ...queryParameters(route)];
  return {
    operationId: [route.method.toLowerCase(), ...route.path.split(/[/:.]+/)].filter(Boolean).join('-'),
    tags: [route.in],
    summary,
    description: [...more, mayWords(route.right)].join(' '),
    security: route.right === 'public' ? [] : route.right === 'host' ? [{ machine: [] }] : [{ token: scopesFor(route.right) }],
    ...(parameters.length > 0 ? { parameters } : {}),
    ...(route.body ? { requestBody: { required: true, content: { 'application/json': { schema: closed(route.body) } } } } : {}),
    responses: {
      [route.status]: answerOf(route),
      ...Object.fromEntries(errorsOf(route).map((status) => [status, errorOf(route, status)])),
    },
  };
}

export function mayWords(right: Right): string {
  if (right === 'public') return 'Nobody is asked who he is.';
  if (right === 'host') return 'Only for the command line of the machine itself.';
  return `For a token with the scope ${scopesFor(right).join(' or ')}.`;
}

function pathParameters(route: ApiRoute): Parameter[] {
  return Object.entries(route.params).map(([name, { schema }]) => ({ name, in: 'path', required: true, schema: closed(schema) }));
}

function queryParameters(route: ApiRoute): Parameter[] {
  if (!route.query) return [];
  const { properties = {}, required = [] } = closed(route.query) as JsonSchema;
  return Object.entries(properties).map(([name, schema]) => ({
    name,
    in: 'query',
    required: required.includes(name),
    schema: schema as object,
  }));
}

function answerOf({ answer, does }: ApiRoute): Operation['responses'][string] {
  if (isMedia(answer)) return { description: answer.says, content: { [answer.media]: {} } };
  return { description: does, content: { 'application/json': { schema: opened(convert(answer)) } } };
}

/** What a route may answer beside what was asked for, as far as its declaration shows it. */
export function errorsOf(route: ApiRoute): ErrorStatus[] {
  const errors: ErrorStatus[] = [
    ...route.errors,
    ...(route.right === 'public' ? [] : ([401, 403] as const)),
    ...(Object.keys(route.params).length > 0 ? ([404] as const) : []),
    // a parameter that is not known is refused everywhere
    ...(route.method === 'POST' ? ([400, 409, 413, 415, 422] as const) : ([422] as const)),
    ...([429, 500, 503] as const),
  ];
  return [...new Set(errors)].sort((a, b) => a - b);
}

function errorOf(route: ApiRoute, status: ErrorStatus): Operation['responses'][string] {
  return {
    description: examples[status][1],
    content: { 'application/json': { schema: { $ref: '#/components/schemas/Error' }, example: exampleOf(route, status) } },
  };
}

function exampleOf(route: ApiRoute, status: ErrorStatus): ErrorAnswer {
  const what = Object.values(route.params)[0]?.what;
  const [code, usual] = examples[status];
  const message = status === 404 && what ? `There is no such ${what}.` : usual;
  const problems = status === 422 ? { problems: [{ path: 'limit', problem: 'must be 1 to 200' }] } : {};
  return { error: { status, code, ...problems, message, requestId: '0f9a41c27d' } };
}

/** An answer's own words for what is refused are no reasons of `core/reasons.ts`. */
const examples: Record<ErrorStatus, readonly [code: string, message: string]> = {
  400: ['not-json', 'The body is not valid JSON.'],
  401: ['no-token', 'The API needs a token, sent as “Authorization: Bearer cs_…”.'],
  403: ['not-allowed', 'Your account may look at this, but not change it.'],
  404: ['not-found', 'There is nothing of this kind.'],
  409: ['refused', 'It cannot be done as things stand; the sentence says why.'],
  413: ['too-large', 'The request was larger than one megabyte.'],
  415: ['not-json', 'The body must be JSON, with Content-Type: application/json.'],
  422: ['invalid-input', 'limit must be 1 to 200.'],
  429: ['too-often', 'This token asks more often than this node answers, which is 600 times a minute.'],
  500: ['broken', 'This is a mistake in CodecShift, not in what you did. No file was touched by it.'],
  503: ['database-away', 'Running encodes go on; their results are kept until it is back.'],
  504: ['too-slow', 'The answer was not ready in time.'],
};

function closed(schema: v.GenericSchema<unknown, unknown>): object {
  return bare(toJsonSchema(schema, conversion));
}

function convert(schema: Schema): object {
  const name = Object.keys(shared).find((key) => shared[key] === schema);
  return name ? { $ref: `#/components/schemas/${name}` } : bare(toJsonSchema(schema, { ...conversion, definitions: shared }));
}

/** The definitions stand once in the document, and which dialect it is as well. */
function bare({ $schema: _dialect, $defs: _definitions, ...schema }: JsonSchema): object {
  return schema;
}

/** Further fields may come. */
function opened(schema: unknown): object {
  return JSON.parse(
    JSON.stringify(schema, (key, value: unknown) => (key === 'additionalProperties' && value === false ? undefined : value)),
  ) as object;
}
