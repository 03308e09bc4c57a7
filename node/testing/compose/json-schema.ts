/**
 * A validator for the part of JSON Schema (draft 7) that the compose specification uses; small enough to be read, so
 * that no package is needed for one test. A keyword it does not know is an error: nothing is skipped in silence.
 */
export interface Schema {
  $ref?: string;
  type?: string | string[];
  properties?: Record<string, Schema>;
  patternProperties?: Record<string, Schema>;
  additionalProperties?: boolean | Schema;
  required?: string[];
  enum?: unknown[];
  oneOf?: Schema[];
  items?: Schema;
  minimum?: number;
  maximum?: number;
  pattern?: string;
  uniqueItems?: boolean;
  definitions?: Record<string, Schema>;
  [annotation: string]: unknown;
}

/** Where the value does not fit, as `services.node.ports: …`; none when it does. */
export function validate(schema: Schema, value: unknown): string[] {
  return check(schema, value, '', schema);
}

const known = [
  '$ref type properties patternProperties additionalProperties required enum oneOf items minimum maximum pattern uniqueItems',
  // what says nothing about the value
  'definitions $schema $id id title description default deprecated format',
]
  .join(' ')
  .split(' ');

function check(given: Schema, value: unknown, at: string, root: Schema): string[] {
  const schema = resolve(given, root);
  const strange = Object.keys(schema).find((keyword) => !known.includes(keyword));
  if (strange !== undefined) throw new Error(`the schema uses ${strange}, which this validator does not know`);
  const problems: string[] = [];
  const say = (text: string): void => void problems.push(`${at || 'the file'}: ${text}`);
  const types = [schema.type ?? []].flat();
  if (types.length > 0 && !types.some((type) => isOfType(value, type))) {
    say(`must be ${types.join(' or ')}, not ${typeName(value)}`);
    return problems;
  }
  if (schema.enum && !schema.enum.includes(value)) say(`must be one of ${schema.enum.join(', ')}, not ${JSON.stringify(value)}`);
  if (typeof value === 'number') {
    if (schema.minimum !== undefined && value < schema.minimum) say(`must be ${schema.minimum} or more`);
    if (schema.maximum !== undefined && value > schema.maximum) say(`must be ${schema.maximum} or less`);
  }
  if (typeof value === 'string' && schema.pattern !== undefined && !new RegExp(schema.pattern, 'u').test(value))
    say(`${JSON.stringify(value)} does not match ${schema.pattern}`);
  if (Array.isArray(value)) problems.push(...checkItems(schema, value, at, root));
  else if (typeof value === 'object' && value !== null) problems.push(...checkFields(schema, value as Record<string, unknown>, at, root));
  if (schema.oneOf) problems.push(...checkOneOf(schema.oneOf, value, at, root));
  return problems;
}

function checkItems(schema: Schema, list: unknown[], at: string, root: Schema): string[] {
  const twice = schema.uniqueItems && new Set(list.map((item) => JSON.stringify(item))).size < list.length;
  const items = schema.items;
  return [
    ...(twice ? [`${at}: names something twice`] : []),
    ...(items ? list.flatMap((item, i) => check(items, item, `${at}[${i}]`, root)) : []),
  ];
}

function checkFields(schema: Schema, fields: Record<string, unknown>, at: string, root: Schema): string[] {
  const missing = (schema.required ?? []).filter((name) => !(name in fields)).map((name) => `${at || 'the file'}: ${name} is missing`);
  const patterns = Object.entries(schema.patternProperties ?? {});
  const wrong = Object.entries(fields).flatMap(([name, value]) => {
    const here = at ? `${at}.${name}` : name;
    const named = schema.properties && Object.hasOwn(schema.properties, name) ? [schema.properties[name]!] : [];
    const matched = patterns.filter(([pattern]) => new RegExp(pattern, 'u').test(name)).map(([, each]) => each);
    const rules = [...named, ...matched];
    if (rules.length > 0) return rules.flatMap((rule) => check(rule, value, here, root));
    if (schema.additionalProperties === false) return [`${here}: is not known here`];
    return typeof schema.additionalProperties === 'object' ? check(schema.additionalProperties, value, here, root) : [];
  });
  return [...missing, ...wrong];
}

/** Exactly one must fit; otherwise the words of the one that came nearest. */
function checkOneOf(choices: Schema[], value: unknown, at: string, root: Schema): string[] {
  const found = choices.map((choice) => check(choice, value, at, root));
  const fitting = found.filter((problems) => problems.length === 0).length;
  if (fitting === 1) return [];
  if (fitting > 1) return [`${at}: fits ${fitting} forms of which only one is allowed`];
  const deeper = found.filter((problems) => problems.some((problem) => !problem.startsWith(`${at}: must be `)));
  return (deeper.length > 0 ? deeper : found).toSorted((a, b) => a.length - b.length)[0]!;
}

function resolve(schema: Schema, root: Schema): Schema {
  const match = schema.$ref === undefined ? null : /^#\/definitions\/([\w-]+)$/.exec(schema.$ref);
  if (schema.$ref === undefined) return schema;
  const target = match ? root.definitions?.[match[1]!] : undefined;
  if (!target) throw new Error(`the schema refers to ${schema.$ref}, which is not there`);
  return resolve(target, root);
}

function isOfType(value: unknown, type: string): boolean {
  if (type === 'integer') return Number.isInteger(value);
  return typeName(value) === type;
}

function typeName(value: unknown): string {
  return value === null ? 'null' : Array.isArray(value) ? 'array' : typeof value;
}
