import type path from 'node:path';
import { loadOptions } from '../../config/load.ts';
import { nodeKeys, settings, specOf, type SettingKey } from '../../config/schema.ts';
import { pathsOf, type Machine } from './machine.ts';
import type { ServiceRecord } from './record.ts';

export type Scope = 'system' | 'user';
export type Flags = Record<string, string | string[]>;

/** What the service shall be: the words of its command line, and what is too secret for one. */
export interface Wish {
  scope: Scope;
  /** flags of `run`, without secrets */
  flags: Flags;
  /** `run` and its flags, as they stand on the command line */
  words: string[];
  /** for the file that only the service reads */
  environment: Record<string, string>;
  /** names in that file which an earlier installation wrote, and which are not wished any more */
  forgotten: string[];
  dataDir: string;
  libraries: string[];
  /** other files that the service has to read */
  reads: string[];
  finishes: boolean;
  port: number;
}

/** Flags that name a place on this machine: a service has another working directory than a person. */
const places = ['library', 'data-dir', 'tls-cert', 'tls-key', 'secret-key-file', 'ffmpeg', 'ffprobe'];

/**
 * What was given now, upon what was given at an earlier installation: said again it is replaced, left out it stays, and
 * libraries come on top. Settings of the environment count as if they had been given: the service shall be what
 * `codecshift run` would have been here.
 * @throws PlainError with every bad value
 */
export function wishOf(
  machine: Machine,
  given: Record<string, unknown>,
  before: ServiceRecord | null,
  of: { scope: Scope; dataDir: string },
): Wish {
  const named = namedFlags(given, pathsOf(machine));
  const { flags: alsoNamed, environment } = fromEnvironment(machine, named);
  const libraries = [...new Set([before?.flags['library'] ?? [], alsoNamed['library'] ?? [], named['library'] ?? []].flat())];
  const flags: Flags = { 'data-dir': of.dataDir, ...before?.flags, ...alsoNamed, ...named };
  if (libraries.length > 0) flags['library'] = libraries;
  for (const [flag, spec] of flagsOfNode()) {
    if (!spec.secret || typeof given[flag] !== 'string') continue;
    environment[spec.env] = given[flag];
    delete environment[`${spec.env}_FILE`];
  }
  const options = loadOptions(flags, environment);
  return {
    scope: of.scope,
    flags,
    words: ['run', ...Object.entries(flags).flatMap(([flag, value]) => wordsOf(flag, value))],
    environment,
    forgotten: [],
    dataDir: String(flags['data-dir']),
    libraries,
    reads: [options.tlsCert, options.tlsKey, options.secretKeyFile, options.ffmpeg, options.ffprobe].filter((file) => file !== null),
    finishes: options.stop === 'finish',
    port: options.port,
  };
}

/** A switch is there or not; it takes no value. */
function wordsOf(flag: string, value: string | string[]): string[] {
  const isSwitch = nodeKeys.some((key) => specOf(key).flag === flag && specOf(key).type === 'boolean');
  if (isSwitch) return value === 'true' ? [`--${flag}`] : [];
  return [value].flat().map((each) => `--${flag}=${each}`);
}

function flagsOfNode(): [string, ReturnType<typeof specOf>][] {
  return nodeKeys.map(specOf).flatMap((spec) => (spec.flag ? [[spec.flag, spec]] : []));
}

function namedFlags(given: Record<string, unknown>, at: typeof path.posix): Flags {
  const found: Flags = {};
  for (const [flag, spec] of flagsOfNode()) {
    const value = given[flag];
    if (spec.secret || value === undefined) continue;
    const texts = [value].flat().map((each) => (places.includes(flag) ? at.resolve(String(each)) : String(each)));
    found[flag] = spec.type === 'list' ? texts : texts[0]!;
  }
  return found;
}

/** What is about this machine's places becomes a flag, where it can be seen; all else goes into the file. */
function fromEnvironment(machine: Machine, named: Flags): { flags: Flags; environment: Record<string, string> } {
  const { env } = machine;
  const at = pathsOf(machine);
  const flags: Flags = {};
  const environment: Record<string, string> = {};
  for (const key of Object.keys(settings) as SettingKey[]) {
    const spec = specOf(key);
    const [value, file] = [env[spec.env], spec.secret ? env[`${spec.env}_FILE`] : undefined];
    if (file) environment[`${spec.env}_FILE`] = at.resolve(file);
    if (!value || (spec.flag && Object.hasOwn(named, spec.flag))) continue;
    if (spec.flag && places.includes(spec.flag))
      flags[spec.flag] =
        spec.type === 'list'
          ? value
              .split(at.delimiter)
              .filter(Boolean)
              .map((each) => at.resolve(each))
          : at.resolve(value);
    else environment[spec.env] = value;
  }
  return { flags, environment };
}
