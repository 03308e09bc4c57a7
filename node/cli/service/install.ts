import { existsSync, statSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { requireFolders } from '../../assembly/data-dir.ts';
import { PlainError } from '../../errors.ts';
import { ownCommand } from '../../program.ts';
import { version } from '../../version.ts';
import type { Here } from '../doctor-program.ts';
import { running } from '../running.ts';
import { standingLine } from '../standing-words.ts';
import { isAlive } from '../stop.ts';
import { requireAccountName } from './accounts.ts';
import { managerOf, scopeFor } from './choice.ts';
import { lineWords } from './line-words.ts';
import { isRoot, pathsOf, placeOf, type Machine } from './machine.ts';
import type { Manager, Plan } from './manager.ts';
import { requireLastingPlace } from './program-place.ts';
import { readRecord, recordFile, serviceDirectory, type ServiceRecord } from './record.ts';
import { carryOut, digest, stepWords, textOf, type Step } from './steps.ts';
import { stopInOrder } from './uninstall.ts';
import { wishOf, type Scope, type Wish } from './wish.ts';

/** Everything that is going to be done, known before anything is. */
export interface Prepared {
  manager: Manager;
  record: ServiceRecord;
  before: ServiceRecord | null;
  /** of a dry run: why the same words without it would be refused; null: they would not be */
  refused: string | null;
  notes: string[];
  steps: Step[];
}

/**
 * Works out what an installation does, and whether it can be done.
 * @throws PlainError for everything that would make a service that does not run
 */
export async function prepare(machine: Machine, values: Record<string, unknown>): Promise<Prepared> {
  const scope = scopeFor(machine, values);
  if (scope === 'user' && values['service-user'] !== undefined)
    throw new PlainError('--service-user is about a service of the whole machine. One of your own (--user) runs as you.');
  const manager = managerOf(machine);
  const dry = values['dry-run'] === true;
  let refused = await refusal(manager.requireUsable(scope), dry);
  const { file, args } = ownCommand();
  const program = [file, ...args];
  requireLastingPlace(machine, program);
  const before = readRecord(machine, scope);
  const wish = wishOf(machine, values, values['anew'] ? null : before, { scope, dataDir: manager.dataDir(scope) });
  if (values['anew']) wish.forgotten = Object.values(before?.files ?? {}).flatMap((mark) => (typeof mark === 'object' ? mark.names : []));
  const old = values['anew'] ? [] : [before?.flags['library'] ?? []].flat();
  await requireFolders(
    wish.libraries.map((folder) => placeOf(machine, folder)),
    old,
  );
  if (!before) requireNoEarlierData(machine, wish, values);
  const account = typeof values['service-user'] === 'string' ? values['service-user'] : values['anew'] ? null : (before?.account ?? null);
  if (account !== null) requireAccountName(machine, account);
  const plan = await manager.plan(wish, program, { account });
  const record = { ...recordOf(manager, wish, plan, before), program };
  const mine: Step[] = [
    { do: 'directory', path: serviceDirectory(machine, scope), mode: 0o755 },
    { do: 'file', path: recordFile(machine, scope), content: `${JSON.stringify(record, null, 2)}\n`, mode: 0o644 },
  ];
  if (!values['force']) refused ??= await refusal(requireUntouched(machine, plan, before), dry);
  if (dry && before?.dataDir !== record.dataDir) refused ??= await refusal(requireNobodyRuns(placeOf(machine, record.dataDir)), dry);
  return { manager, record, before, refused, notes: plan.notes, steps: [...mine, ...plan.steps] };
}

/** A dry run shows its plan all the same, and says this with it. @throws PlainError what was refused, unless it is only shown */
export async function refusal(needed: Promise<void>, dry: boolean): Promise<string | null> {
  try {
    await needed;
    return null;
  } catch (error) {
    if (!dry || !(error instanceof PlainError)) throw error;
    return error.message;
  }
}

export function dryRun({ refused, notes, steps }: Prepared): string {
  return [...refusedWords(refused), ...notes, ...steps.map(stepWords)].join('\n\n');
}

export function refusedWords(refused: string | null): string[] {
  return refused === null ? [] : [`! Without --dry-run this would be refused here: ${refused}`];
}

/** @returns the address at which the dashboard answers, and what could not be done */
export async function install(machine: Machine, prepared: Prepared): Promise<{ url: string; problems: string[] }> {
  const { manager, record, before, steps } = prepared;
  if (before?.dataDir !== record.dataDir) await requireNobodyRuns(placeOf(machine, record.dataDir));
  if (before) await stopInOrder(placeOf(machine, before.dataDir));
  const started = Date.now();
  const problems = await carryOut(machine, steps);
  return { url: await answers(machine, manager, record, started), problems };
}

function recordOf(manager: Manager, wish: Wish, plan: Plan, before: ServiceRecord | null): ServiceRecord {
  const written = plan.steps.flatMap((step) => (step.do === 'file' ? [[step.path, markOf(step, wish, before)]] : []));
  const gone = new Set(plan.steps.flatMap((step) => (step.do === 'remove' ? [step.path] : [])));
  return {
    manager: manager.name,
    scope: wish.scope,
    version,
    installed: new Date().toISOString(),
    account: plan.account,
    dataDir: wish.dataDir,
    flags: wish.flags,
    files: {
      ...Object.fromEntries(Object.entries(before?.files ?? {}).filter(([file]) => !gone.has(file))),
      ...Object.fromEntries(written),
    },
    directories: plan.directories,
    log: plan.log,
  };
}

/** Lines that a person added to the file with the secrets are not ours, also after we wrote it anew. */
function markOf(step: Extract<Step, { do: 'file' }>, wish: Wish, before: ServiceRecord | null): ServiceRecord['files'][string] {
  if (!step.secret) return digest(step.content);
  const earlier = before?.files[step.path];
  return { names: [...new Set([...(typeof earlier === 'object' ? earlier.names : []), ...Object.keys(wish.environment)])] };
}

/** A file that somebody else wrote, or changed by hand, is not overwritten. The one with secrets is only added to. */
async function requireUntouched(machine: Machine, plan: Plan, before: ServiceRecord | null): Promise<void> {
  for (const step of plan.steps) {
    if (step.do !== 'file' || step.secret) continue;
    const there = await readFile(placeOf(machine, step.path)).catch(() => null);
    if (!there || digest(there) === digest(step.content) || digest(there) === before?.files[step.path]) continue;
    const whose = before ? 'was changed by hand since' : 'is there already, and was not written by CodecShift';
    const help = before && machine.platform === 'linux' ? ' Changes of your own belong into "systemctl edit codecshift".' : '';
    throw new PlainError(`${step.path} ${whose}. --force overwrites it.${help}`);
  }
}

/** Who tried the program by hand before has films in the trash and a history there, and a new data directory would know nothing of it. */
function requireNoEarlierData(machine: Machine, wish: Wish, values: Record<string, unknown>): void {
  const { platform, env } = machine;
  if (wish.scope !== 'system' || values['data-dir'] !== undefined || platform === 'win32') return;
  const user = isRoot(machine) ? env['SUDO_USER'] : machine.user;
  if (!user || user === 'root') return;
  const earlier = platform === 'darwin' ? `/Users/${user}/Library/Application Support/codecshift` : `/home/${user}/.local/share/codecshift`;
  if (!existsSync(placeOf(machine, pathsOf(machine).join(earlier, 'node.key'))) && !existsSync(placeOf(machine, `${earlier}/roots.json`)))
    return;
  throw new PlainError(
    `CodecShift already ran here for ${user}, and its database is in ${earlier}. Say whether the service goes on with it (--data-dir '${earlier}' --service-user ${user}) or begins anew (--data-dir ${wish.dataDir}).`,
  );
}

async function requireNobodyRuns(dataDir: string): Promise<void> {
  const now = await running({ 'data-dir': dataDir }).catch(() => null);
  if (now && isAlive(now.pid))
    throw new PlainError(
      `CodecShift already runs from ${dataDir} (process ${now.pid}). End it first: codecshift stop --data-dir '${dataDir}'`,
    );
}

const PATIENCE_MS = 180_000;
/** A start that failed so often will not come right by waiting. */
const TOO_OFTEN = 3;

/** @throws PlainError with the last lines of the program when it does not come up */
async function answers(machine: Machine, manager: Manager, record: ServiceRecord, started: number): Promise<string> {
  const first = (await manager.standing(record)).restarts ?? 0;
  for (const deadline = performance.now() + PATIENCE_MS; performance.now() < deadline; await pause(500)) {
    if (isNewer(machine, record, started)) {
      const now = await running({ 'data-dir': placeOf(machine, record.dataDir) }, 5000).catch(() => null);
      if (now?.ready && (await now.api('GET', '/node').catch(() => null))) return now.url;
    }
    const standing = await manager.standing(record);
    if (!standing.running && (standing.restarts ?? 0) - first >= TOO_OFTEN) break;
  }
  const lines = (await manager.lines(record, 8)).map((line) => `  ${lineWords(line)}`);
  const said = lines.length > 0 ? ` Its last lines:\n${lines.join('\n')}` : '';
  throw new PlainError(
    `The service is installed, but the program does not come up. "codecshift service status" says how it stands.${said}`,
  );
}

/** What an earlier run left behind says nothing about this one. */
function isNewer(machine: Machine, record: ServiceRecord, started: number): boolean {
  const file = path.join(placeOf(machine, record.dataDir), 'running.json');
  return (statSync(file, { throwIfNoEntry: false })?.mtimeMs ?? 0) >= started - 1000;
}

const SETTLING_MS = 30_000;

/** What a person has to do now: the way in where nobody has decided yet who may come in, or what this machine waits for. */
export async function whatNext(machine: Machine, record: ServiceRecord): Promise<string[]> {
  const { url, api } = await running({ 'data-dir': placeOf(machine, record.dataDir) });
  let here = await api<Here>('GET', '/node');
  for (const deadline = performance.now() + SETTLING_MS; !here.reached && performance.now() < deadline; await pause(500))
    here = await api<Here>('GET', '/node');
  if (!here.reached) return [standingLine(here.standing, here.node, here.reached)];
  const page = await fetch(new URL('/setup', url), { redirect: 'manual', signal: AbortSignal.timeout(10_000) }).catch(() => null);
  const token = page?.ok ? await textOf(machine, pathsOf(machine).join(record.dataDir, 'setup-token')) : null;
  return token ? ['Nobody has decided yet who may open it. Set it up:', `  ${new URL(`/setup#token=${token.trim()}`, url).href}`] : [];
}

export function whoseWords(scope: Scope, account: string | null): string {
  return scope === 'system' ? `as ${account ?? 'LOCAL SERVICE'}, and starts with this machine` : 'as you';
}
