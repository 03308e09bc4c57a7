import { randomUUID } from 'node:crypto';
import { mkdir, stat, writeFile } from 'node:fs/promises';
import { arch, cpus, platform, release, totalmem } from 'node:os';
import path from 'node:path';
import { announceRunning, withdrawRunning } from './cli/running.ts';
import type { RunOptions } from './config/load.ts';
import type { EncoderReport } from './core/encoder-choice.ts';
import { createCoordinator, type Coordinator } from './coordinator/coordinator.ts';
import { createSettingsStore } from './coordinator/settings.ts';
import { connectDatabase } from './db/connect.ts';
import { lockDirectory } from './db/directory-lock.ts';
import { PlainError, messageOf } from './errors.ts';
import { createEvents, type Events } from './events.ts';
import { locateTools } from './ffmpeg/locate.ts';
import { provedEncoders } from './ffmpeg/proved-encoders.ts';
import type { Fault } from './files/durable.ts';
import { openWorkspace } from './files/workspace.ts';
import { createKeeper, type Keeper } from './keeper/keeper.ts';
import { loadRoots, type KeeperRoots } from './keeper/roots.ts';
import { localSource } from './keeper/serve.ts';
import type { Log } from './log.ts';
import { createGreeter, type Hello } from './mesh/greeter.ts';
import { loadIdentity, loadSecret } from './mesh/identity.ts';
import { createLocalMesh } from './mesh/local.ts';
import { createOutbox, type Outbox } from './mesh/outbox.ts';
import { createPresence } from './mesh/presence.ts';
import { version } from './version.ts';
import { createWeb } from './web/server.ts';
import { attemptSpaces } from './worker/spaces.ts';
import { createWorker, type Worker } from './worker/worker.ts';

/**
 * The composition root of a running node: builds the parts, hands each only what it needs, starts them in order and
 * stops them in the opposite one. No decision about films is made here.
 *
 *   data directory · key · ffmpeg · database ─▶ mesh ─▶ keeper (recovers first) · worker · coordinator ─▶ dashboard
 */
export interface RunningNode {
  url: string;
  stop(how: { how: 'cancel' | 'finish'; hurry: Promise<void> }): Promise<void>;
}

export interface StartOptions {
  options: RunOptions;
  log: Log;
  /** aborts a start that is under way */
  signal?: AbortSignal;
  /** for crash tests only */
  fault?: Fault;
}

export async function startNode({ options, log, signal, fault }: StartOptions): Promise<RunningNode> {
  const undo: (() => Promise<unknown> | void)[] = [];
  try {
    return await assemble(options, log, undo, signal, fault);
  } catch (error) {
    for (const step of undo.toReversed())
      await Promise.resolve(step()).catch((late: unknown) => log.debug({ why: messageOf(late) }, 'a part did not stop cleanly'));
    throw error;
  }
}

async function assemble(
  options: RunOptions,
  log: Log,
  undo: (() => Promise<unknown> | void)[],
  signal?: AbortSignal,
  fault?: Fault,
): Promise<RunningNode> {
  const { dataDir } = options;
  await prepareDataDir(dataDir);
  await requireFolders(options.libraries);
  const tools = await locateTools({
    configured: { ffmpeg: options.ffmpeg ?? undefined, ffprobe: options.ffprobe ?? undefined },
    cacheDir: path.join(dataDir, 'tools'),
  });
  if (options.databaseUrl) {
    const lock = lockDirectory(dataDir); // the embedded database takes the same lock itself
    undo.push(() => lock.release());
  }
  const db = await connectDatabase({ url: options.databaseUrl, dataDir, log: room('db'), ...(signal ? { signal } : {}) });
  undo.push(() => db.close());

  const { id } = await loadIdentity(dataDir);
  const secret = await loadSecret(dataDir);
  const session = randomUUID();
  const events = createEvents((error) => log.error({ err: error }, 'a listener failed'));
  const settings = createSettingsStore();
  await settings.reload(db);
  const roots = await loadRoots(dataDir);
  const workspace = await openWorkspace(dataDir);
  const mesh = createLocalMesh(id, room('mesh'));
  const encoders = provedEncoders(tools, room('ffmpeg'), () => {
    events.emit('node.changed', { nodeId: id });
    worker.wake();
    void greeter.tell();
  });

  const facts = (): Promise<Hello> => helloFacts({ id, session, options, roots, worker, keeper, encoders: encoders.known() });
  const greeter = createGreeter({ mesh, facts, log: room('mesh') });
  const outbox = createOutbox({ directory: path.join(dataDir, 'outbox'), mesh, coordinator: greeter.coordinator, log: room('mesh') });
  const outputOf = async (_node: string, attempt: number, extension: string): Promise<string> => workspace.outputOf(attempt, extension);
  const keeper = createKeeper({
    mesh,
    roots,
    tools,
    outbox,
    outputOf,
    onAdopted: () => greeter.tell(),
    log: room('keeper'),
    ...(fault ? { fault } : {}),
  });
  const worker: Worker = createWorker({
    mesh,
    session,
    tools,
    outbox,
    coordinator: greeter.coordinator,
    encoders: encoders.known,
    detectAgain: () => void encoders.run(),
    source: {
      local: (grant, stop) =>
        localSource({ node: id, roots }, grant, stop).catch(async (error: unknown) => {
          // the next claim must know already that this disk is away, or the whole queue would be tried in seconds
          if (error instanceof PlainError && error.reason?.code === 'root-not-mounted') await greeter.tell();
          throw error;
        }),
      fetch: () => Promise.reject(new PlainError('The data plane is not built yet.')),
    },
    workspace: attemptSpaces(workspace),
    log: room('worker'),
  });
  let url = '';
  const coordinator = createCoordinator({ mesh, db, session, url: () => url, settings, events, log: room('coordinator') });
  const web = createWeb({
    db,
    events,
    log: room('web'),
    secret,
    commands: coordinator.commands,
    host: options.host,
    port: options.port,
    node: { id, name: options.name, version },
    settings: () => ({ ...settings.current() }),
  });

  ({ url } = await web.start());
  undo.push(() => web.stop());
  await outbox.start();
  undo.push(() => outbox.stop());
  await keeper.start();
  undo.push(() => keeper.stop());
  greeter.onWelcome((welcome) => {
    worker.welcome(welcome);
    if (welcome.drop.length)
      void keeper.drop(welcome.drop).catch((error: unknown) => log.debug({ why: messageOf(error) }, 'an output could not be dropped'));
    outbox.kick();
  });
  greeter.start();
  undo.push(() => greeter.stop());
  events.on('settings.changed', () => void greeter.tell());
  coordinator.start();
  undo.push(() => coordinator.stop());
  await worker.start();
  undo.push(() => worker.stop('cancel'));
  const presence = createPresence({
    mesh,
    name: options.name,
    slots: worker.slots,
    busy: worker.busy,
    freeBytes: () => workspace.freeBytes(),
  });
  presence.start();
  undo.push(() => presence.stop());
  void encoders.run();
  undo.push(() => encoders.stop());
  await addFolders(coordinator, events, options.libraries, signal);
  await announceRunning(dataDir, { url, pid: process.pid, secret });
  undo.push(() => withdrawRunning(dataDir));
  log.info(
    { node: options.name, id, url, database: db.embedded ? 'embedded' : 'PostgreSQL', ffmpeg: tools.ffmpeg.version },
    'this node is running',
  );
  return { url, stop: (how) => stopAll(how) };

  function room(name: string): Log {
    return log.child({ room: name });
  }

  /** The worker first, while there still is a coordinator to give its jobs back to. */
  async function stopAll({ how, hurry }: { how: 'cancel' | 'finish'; hurry: Promise<void> }): Promise<void> {
    if (how === 'finish') await Promise.race([worker.stop('finish').then(() => settled(outbox, 600_000)), hurry]);
    await worker.stop('cancel');
    await settled(outbox, 3000);
    for (const step of undo.toReversed())
      await Promise.resolve(step()).catch((error: unknown) => log.warn({ why: messageOf(error) }, 'a part did not stop cleanly'));
    log.info('stopped');
  }
}

async function prepareDataDir(dataDir: string): Promise<void> {
  try {
    await mkdir(dataDir, { recursive: true, mode: 0o700 });
    await writeFile(path.join(dataDir, '.writable'), '', { mode: 0o600 });
  } catch (error) {
    throw new PlainError(`The data directory ${dataDir} cannot be used (${messageOf(error)}). Choose another with --data-dir.`, {
      cause: error,
    });
  }
}

async function requireFolders(folders: readonly string[]): Promise<void> {
  for (const folder of folders) {
    const found = await stat(folder).catch(() => null);
    if (!found) throw new PlainError(`The folder ${path.resolve(folder)} is not there.`);
    if (!found.isDirectory()) throw new PlainError(`${path.resolve(folder)} is not a folder.`);
  }
}

interface FactParts {
  id: string;
  session: string;
  options: RunOptions;
  roots: KeeperRoots;
  worker: Worker;
  keeper: Keeper;
  encoders: EncoderReport[];
}

async function helloFacts({ id, session, options, roots, worker, keeper, encoders }: FactParts): Promise<Hello> {
  return {
    node: id,
    session,
    name: options.name,
    version,
    platform: `${platform()} ${arch()} ${release()}`.slice(0, 60),
    slots: worker.slots(),
    classes: encoders.length ? worker.classes() : [],
    encoders: encoders.map((e) => ({ ...e, reason: e.reason?.slice(0, 2000) ?? null })),
    hardware: { cpu: cpus()[0]?.model ?? 'unknown', cores: cpus().length, memoryBytes: totalmem() },
    roots: await roots.report(),
    candidate: true,
    freeBytes: 0,
    time: Date.now(),
    utcOffset: -new Date().getTimezoneOffset(),
    membersVersion: 0,
    certificate: null,
    attempts: [...new Set([...(await worker.attempts()), ...(await keeper.attempts())])].slice(0, 200),
  };
}

/** The folders of the command line become libraries as soon as somebody coordinates. */
async function addFolders(coordinator: Coordinator, events: Events, folders: readonly string[], signal?: AbortSignal): Promise<void> {
  const led = leading(coordinator, events, signal);
  // a page that opens at once should also be able to act at once; another machine may lead, so not for ever
  if (folders.length === 0) return void (await Promise.race([led, new Promise((resolve) => setTimeout(resolve, 10_000).unref())]));
  await led;
  for (const folder of folders)
    await coordinator.commands.addLibrary({ path: path.resolve(folder) }, { name: 'the command line', via: 'cli' });
}

async function leading(coordinator: Coordinator, events: Events, signal?: AbortSignal): Promise<void> {
  if (coordinator.term() !== null) return;
  await new Promise<void>((resolve, reject) => {
    const off = events.on('coordinator.changed', ({ term }) => {
      if (term === null) return;
      off();
      resolve();
    });
    signal?.addEventListener('abort', () => reject(new PlainError('Stopped before the start was complete.')), { once: true });
  });
}

/** Waits until every report is in the books, at most so long. */
async function settled(outbox: Outbox, ms: number): Promise<void> {
  const until = Date.now() + ms;
  while (outbox.waiting().length > 0 && Date.now() < until) {
    outbox.kick();
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
