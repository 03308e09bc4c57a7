import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { parseDocument } from 'yaml';
import { checkValue } from '../../config/check.ts';
import { settings, specOf, type SettingKey } from '../../config/schema.ts';
import { validate, type Schema } from './json-schema.ts';
import { variablesIn, withDefaults } from './variables.ts';

/**
 * Is this compose file right, as far as that can be known without an engine? First its shape, by the compose
 * specification; then everything that it names: services, secrets, volumes, profiles, settings, variables, build.
 */
export function checkComposeFile(directory: string, name: string): string[] {
  const text = readFileSync(path.join(directory, name), 'utf8');
  const document = parseDocument(text, { merge: true });
  if (document.errors.length > 0) return document.errors.map((error) => `${name}: ${error.message.split('\n')[0]}`);
  const file = document.toJS({ maxAliasCount: 100 }) as ComposeFile;
  const schema = JSON.parse(readFileSync(path.join(import.meta.dirname, 'compose-spec.json'), 'utf8')) as Schema;
  const shape = validate(schema, file);
  if (shape.length > 0) return shape;
  const services = Object.entries(file.services ?? {});
  return [
    ...services.flatMap(([service, what]) => serviceProblems(file, service, what, directory).map((p) => `services.${service}: ${p}`)),
    ...unused(file, services),
    ...profileProblems(services),
    ...variableProblems(text, directory),
    ...secretFiles(file, text),
  ];
}

interface ComposeFile {
  services?: Record<string, Service>;
  secrets?: Record<string, { file?: string } | null>;
  volumes?: Record<string, unknown>;
}

interface Service {
  build?: string;
  image?: string;
  profiles?: string[];
  network_mode?: string;
  ports?: unknown[];
  read_only?: boolean;
  user?: string;
  tmpfs?: string | string[];
  environment?: Record<string, string | number | null>;
  secrets?: (string | { source: string })[];
  volumes?: (string | { type: string; source?: string; target?: string })[];
  depends_on?: string[] | Record<string, { condition?: string }>;
  healthcheck?: object;
}

function serviceProblems(file: ComposeFile, name: string, service: Service, directory: string): string[] {
  return [
    ...buildProblems(service, directory),
    ...dependencyProblems(file, name, service),
    ...secretProblems(file, service),
    ...volumeProblems(file, service),
    ...(service.network_mode === 'host' && service.ports ? ['ports have no meaning on the network of the host'] : []),
    ...(service.build === undefined ? [] : environmentProblems(service)),
    ...(service.build !== undefined && service.read_only ? writableProblems(service) : []),
  ];
}

function buildProblems({ build, image }: Service, directory: string): string[] {
  if (build !== undefined) return existsSync(path.join(directory, build, 'Dockerfile')) ? [] : [`there is no ${build}/Dockerfile`];
  if (image === undefined) return ['names neither an image nor a build'];
  return pinned(image) ? [] : [`${image} is not pinned to a version`];
}

/** A tag with a number in it; never `latest`, which is another program tomorrow. */
export function pinned(image: string): boolean {
  return /:[\w.-]*\d[\w.-]*$/.test(image);
}

function dependencyProblems(file: ComposeFile, name: string, service: Service): string[] {
  const wanted = Array.isArray(service.depends_on)
    ? service.depends_on.map((on) => [on, {}] as const)
    : Object.entries(service.depends_on ?? {});
  return wanted.flatMap(([on, how]) => {
    const other = file.services?.[on];
    if (!other) return [`depends on ${on}, which is not there`];
    const missing = (service.profiles ?? []).filter((profile) => other.profiles !== undefined && !other.profiles.includes(profile));
    return [
      ...(on === name ? ['depends on itself'] : []),
      ...missing.map((profile) => `depends on ${on}, which is not in the profile ${profile}`),
      ...('condition' in how && how.condition === 'service_healthy' && !other.healthcheck && other.build === undefined
        ? [`waits until ${on} is healthy, which has no health check`]
        : []),
    ];
  });
}

function secretProblems(file: ComposeFile, service: Service): string[] {
  const given = (service.secrets ?? []).map(nameOfSecret);
  const missing = given.filter((secret) => !file.secrets || !(secret in file.secrets)).map((secret) => `secret ${secret} is not defined`);
  const unmounted = Object.entries(service.environment ?? {}).flatMap(([variable, value]) => {
    const secret = /^\/run\/secrets\/(.+)$/.exec(String(value ?? ''))?.[1];
    return secret === undefined || given.includes(secret) ? [] : [`${variable} reads ${value}, but the secret is not given to it`];
  });
  const bare = Object.keys(service.environment ?? {}).filter((variable) => /PASSWORD$|TOKEN$|SECRET$/.test(variable));
  return [...missing, ...unmounted, ...bare.map((variable) => `${variable} shows a secret to everybody who may list containers`)];
}

function volumeProblems(file: ComposeFile, service: Service): string[] {
  return volumesOf(service).flatMap(({ source, named }) =>
    named && !(source in (file.volumes ?? {})) ? [`volume ${source} is not defined`] : [],
  );
}

function volumesOf(service: Service): { source: string; target: string; named: boolean }[] {
  return (service.volumes ?? []).map((volume) => {
    if (typeof volume !== 'string') return { source: volume.source ?? '', target: volume.target ?? '', named: volume.type === 'volume' };
    const [source = '', target = ''] = withDefaults(volume).split(':');
    return { source, target, named: /^[\w-]/.test(source) && !source.startsWith('set-by-hand') };
  });
}

/** Every variable that looks like ours is a setting, and its value is one that the program takes. */
function environmentProblems(service: Service): string[] {
  return Object.entries(service.environment ?? {}).flatMap(([variable, value]) => {
    if (!/^(CODECSHIFT_|DATABASE_URL)/.test(variable)) return [];
    const inFile = variable.endsWith('_FILE');
    const key = (Object.keys(settings) as SettingKey[]).find((each) => specOf(each).env === (inFile ? variable.slice(0, -5) : variable));
    if (key === undefined) return [`${variable} is no setting`];
    const spec = specOf(key);
    if (inFile) return spec.secret ? [] : [`${variable}: only secrets are read from files`];
    if (spec.secret) return [`${variable} is a secret: give it as ${variable}_FILE`];
    const text = withDefaults(String(value ?? ''));
    const checked = text === '' || spec.type === 'list' ? { ok: true as const } : checkValue(spec, text);
    return checked.ok ? [] : [`${variable} ${checked.problem}`];
  });
}

/** A root that cannot be written needs a place for the data and one for what is temporary. */
function writableProblems(service: Service): string[] {
  const places = [...volumesOf(service).map((volume) => volume.target), ...[service.tmpfs ?? []].flat()];
  return ['/data', '/tmp'].filter((place) => !places.includes(place)).map((place) => `its root is read-only and ${place} is no volume`);
}

function unused(file: ComposeFile, services: [string, Service][]): string[] {
  const secrets = services.flatMap(([, service]) => (service.secrets ?? []).map(nameOfSecret));
  const volumes = services.flatMap(([, service]) => volumesOf(service).map((volume) => volume.source));
  return [
    ...Object.keys(file.secrets ?? {})
      .filter((name) => !secrets.includes(name))
      .map((name) => `secrets.${name}: nobody uses it`),
    ...Object.keys(file.volumes ?? {})
      .filter((name) => !volumes.includes(name))
      .map((name) => `volumes.${name}: nobody uses it`),
  ];
}

/** Each way to encode is a profile of its own and starts exactly one node: two would want the same ports. */
function profileProblems(services: [string, Service][]): string[] {
  const ours = services.filter(([, service]) => service.build !== undefined);
  // a NAS that reads the file by itself offers no choice of profiles
  if (ours.length === 1 && !ours[0]![1].profiles) return [];
  const always = ours.filter(([, service]) => !service.profiles).map(([name]) => `services.${name}: starts in every profile`);
  const perProfile = ['cpu', 'nvidia', 'vaapi'].flatMap((profile) => {
    const starts = ours.filter(([, service]) => service.profiles?.includes(profile));
    return starts.length === 1 ? [] : [`profile ${profile} starts ${starts.length} nodes instead of one`];
  });
  return [...always, ...perProfile];
}

/** Whoever copies .env.example must find every variable in it. */
function variableProblems(text: string, directory: string): string[] {
  const example = readFileSync(path.join(directory, '.env.example'), 'utf8');
  const explained = [...example.matchAll(/^(\w+)=/gm)].map((match) => match[1]!);
  const code = text.replaceAll(/^\s*#.*$/gm, '');
  return [...new Set(variablesIn(code))].filter((name) => !explained.includes(name)).map((name) => `\${${name}} is not in .env.example`);
}

/** Secrets lie in files beside it, which the instructions at its top say how to make and which git never sees. */
function secretFiles(file: ComposeFile, text: string): string[] {
  const comments = text
    .split('\n')
    .filter((line) => line.startsWith('#'))
    .join('\n');
  return Object.entries(file.secrets ?? {}).flatMap(([name, secret]) => {
    const place = secret?.file ?? '';
    if (!/^\.\/secrets\/\w+$/.test(place)) return [`secrets.${name}: must be a file in ./secrets, which is ignored by git`];
    return comments.includes(place.slice(2)) ? [] : [`secrets.${name}: the instructions do not say how to make ${place}`];
  });
}

function nameOfSecret(secret: string | { source: string }): string {
  return typeof secret === 'string' ? secret : secret.source;
}
