import { readFileSync } from 'node:fs';
import { hostname, homedir, platform } from 'node:os';
import path from 'node:path';
import { codeOf, messageOf, PlainError } from '../errors.ts';
import { checkValue } from './check.ts';
import { clusterKeys, nodeKeys, specOf, type ClusterKey, type ClusterSettings, type NodeOptions, type SettingKey } from './schema.ts';
import type { SettingSpec } from './setting.ts';

type Env = Record<string, string | undefined>;

export type RunOptions = Omit<NodeOptions, 'dataDir' | 'name'> & { readonly dataDir: string; readonly name: string };

/**
 * This machine's options: flags before environment before defaults.
 * @throws PlainError listing every bad value at once, each with where it came from
 */
export function loadOptions(flags: Record<string, unknown>, env: Env = process.env): RunOptions {
  const problems: string[] = [];
  const found: Record<string, unknown> = {};
  for (const key of nodeKeys) {
    const spec = specOf(key);
    const flag = spec.flag ? flags[spec.flag] : undefined;
    const inFile = flag === undefined ? secretFromFile(spec, env) : {};
    if (inFile.problem) problems.push(inFile.problem);
    const raw = flag ?? inFile.value ?? environmentValue(key, env);
    if (raw === undefined || inFile.problem) {
      found[key] = spec.default;
      continue;
    }
    const checked = checkValue(spec, raw);
    if (checked.ok) found[key] = checked.value;
    else
      problems.push(
        `${flag !== undefined ? `--${spec.flag}` : inFile.value === undefined ? spec.env : `${spec.env}_FILE`} ${checked.problem}`,
      );
  }
  if (problems.length) throw new PlainError(`${problems.join('; ')}.`);
  const options = found as NodeOptions;
  return Object.freeze({
    ...options,
    dataDir: path.resolve(options.dataDir ?? defaultDataDir(env)),
    name: (options.name ?? hostname()).slice(0, 63),
  });
}

/** Cluster settings as they are in force: environment before stored before default. Unlawful stored values are ignored. */
export function effectiveSettings(stored: ReadonlyMap<string, unknown>, env: Env = process.env): ClusterSettings {
  const values = clusterKeys.map((key) => {
    const spec = specOf(key);
    for (const raw of [environmentValue(key, env), stored.get(key)]) {
      if (raw === undefined) continue;
      const checked = checkValue(spec, raw);
      if (checked.ok) return [key, checked.value];
    }
    return [key, spec.default];
  });
  return Object.freeze(Object.fromEntries(values)) as ClusterSettings;
}

/** The environment variable that overrides a cluster setting on this coordinator, or null. */
export function overriddenBy(key: ClusterKey, env: Env = process.env): string | null {
  const raw = environmentValue(key, env);
  return raw !== undefined && checkValue(specOf(key), raw).ok ? specOf(key).env : null;
}

function environmentValue(key: SettingKey, env: Env): unknown {
  const spec = specOf(key);
  const raw = env[spec.env];
  if (raw === undefined || raw === '') return undefined;
  if (spec.type !== 'list') return raw;
  // an address has colons of its own
  return raw.split(spec.separatedBy === 'commas' ? /[\s,;]+/ : path.delimiter).filter(Boolean);
}

/**
 * A secret may be in a file that `<NAME>_FILE` names, as containers hand secrets in: then it is in no list of processes
 * and in no `docker inspect`. The file holds the text alone; a line end after it does not count.
 */
function secretFromFile(spec: SettingSpec, env: Env): { value?: string; problem?: string } {
  const name = `${spec.env}_FILE`;
  const file = spec.secret ? env[name] : undefined;
  if (file === undefined || file === '') return {};
  if (env[spec.env]) return { problem: `${spec.env} and ${name} are both set; keep one of them` };
  try {
    const text = readFileSync(file, 'utf8').trim();
    return text === '' ? { problem: `${name} names ${file}, which is empty` } : { value: text };
  } catch (error) {
    return { problem: `${name} names ${file}, which cannot be read (${codeOf(error) ?? messageOf(error)})` };
  }
}

/** The platform's conventional place: XDG on Linux, Library on macOS, LocalAppData on Windows; systemd's when it runs us. */
export function defaultDataDir(env: Env = process.env): string {
  if (env['STATE_DIRECTORY']) return env['STATE_DIRECTORY'].split(':')[0]!;
  if (platform() === 'darwin') return path.join(homedir(), 'Library', 'Application Support', 'codecshift');
  if (platform() === 'win32') return path.join(env['LOCALAPPDATA'] ?? path.join(homedir(), 'AppData', 'Local'), 'codecshift', 'Data');
  return path.join(env['XDG_DATA_HOME'] || path.join(homedir(), '.local', 'share'), 'codecshift');
}
