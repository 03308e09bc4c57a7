import { randomUUID } from 'node:crypto';
import { rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { findBelonging, leaveCluster, type Belonging } from './assembly/belonging.ts';
import { makeDataDir, openToEverybody, requireFolders } from './assembly/data-dir.ts';
import { withDatabaseChoice } from './assembly/database-choice.ts';
import { settleDatabase } from './assembly/database-truth.ts';
import { addFolders, placesOf } from './assembly/folders.ts';
import { requireSoundAccess } from './assembly/first-start.ts';
import { ffmpegWish, type House } from './assembly/house.ts';
import { startMember, type Ending, type Member } from './assembly/member.ts';
import { isUndecided, restoreBackup } from './assembly/restore.ts';
import { makeSupportBundle } from './assembly/support-bundle.ts';
import { withLobby } from './assembly/surroundings.ts';
import { announceRunning, withdrawRunning } from './cli/running.ts';
import type { RunOptions } from './config/load.ts';
import type { ClusterName, Standing } from './core/standing.ts';
import { lockDirectory } from './db/directory-lock.ts';
import { PlainError, messageOf } from './errors.ts';
import { createEvents } from './events.ts';
import { findFfmpeg, type FoundFfmpeg } from './ffmpeg/locate.ts';
import { keptProofs } from './ffmpeg/kept-proofs.ts';
import { provedEncoders } from './ffmpeg/proved-encoders.ts';
import { refusal } from './ffmpeg/sandbox.ts';
import type { Fault } from './files/durable.ts';
import { openWorkspace } from './files/workspace.ts';
import { loadRoots } from './keeper/roots.ts';
import { createLogBook, type LogBook } from './log-book.ts';
import type { Log } from './log.ts';
import { requireAddress } from './mesh/addresses.ts';
import { loadIdentity, loadSecret } from './mesh/identity.ts';
import type { Joining } from './mesh/join.ts';
import type { Lobby } from './mesh/lobby.ts';
import { forgetCluster } from './mesh/membership.ts';
import { keepSecret } from './redact.ts';
import { version } from './version.ts';
import { createSetupToken } from './web/auth/setup-token.ts';
import { createFront } from './web/front.ts';
import type { FrontActions } from './web/front/parts.ts';
import type { TlsWish } from './web/front/tls.ts';

/**
 * The life of a running node: its front first, then one membership after the other.
 *
 *   front open ─▶ seeking a cluster ─▶ member ──┬─ stop() ─▶ stopped
 *                     ▲      ▲                  ├─ removed ─▶ revoked: says so, waits for a person
 *                     │      └─ a person asks ──┘
 *                     └─ dissolved into another cluster, or a person left this one for it
 */
export interface RunningNode {
  url: string;
  /** Resolves with the parts of it that did not end in time: then only the end of the process ends them. */
  stop(how: { how: 'cancel' | 'finish'; hurry: Promise<void> }): Promise<string[]>;
}

/** Where this machine shall belong next: null asks whatever is found. */
type Choice = { join: string | null } | { own: true };

export interface StartOptions {
  options: RunOptions;
  log: Log;
  /** the newest lines of that log; left out: none are kept */
  book?: LogBook;
  /** aborts a start that is under way */
  signal?: AbortSignal;
  /** a person at the console has to compare this with the page */
  onCode?: (code: string, cluster: string) => void;
  /** a person has to show that he has this machine: an address with its token behind the `#`, and the token */
  onToken?: (address: string, token: string, why: 'set-up' | 'machine') => void;
  /** somebody with this machine's command line asked it to end; whoever started it does so */
  onStop?: (how: 'cancel' | 'finish' | null) => void;
  /** for crash tests only */
  fault?: Fault;
}

/**
 * Resolves when there is something to look at: the dashboard, or the page that says what this machine waits for.
 * @throws PlainError when it cannot start at all
 */
export async function startNode(start: StartOptions): Promise<RunningNode> {
  const { options } = start;
  for (const peer of options.peers) requireAddress(peer, options.meshPort);
  requireSoundAccess(options);
  await makeDataDir(options.dataDir);
  const exposed = await openToEverybody(options.dataDir);
  if (exposed !== null) start.log.warn(exposed);
  const lock = lockDirectory(options.dataDir);
  try {
    await settleDatabase(options.dataDir, start.log);
    const node = await open({ ...start, options: await withDatabaseChoice(options) });
    return { url: node.url, stop: (how) => stopped(node.stop(how)) };
  } catch (error) {
    lock.release();
    throw error;
  }

  /** What hangs may have files of the directory open: then the next program comes in when this process is gone. */
  async function stopped(stopping: Promise<string[]>): Promise<string[]> {
    let left: string[] = [];
    try {
      return (left = await stopping);
    } finally {
      if (left.length === 0) lock.release();
    }
  }
}

async function open(start: StartOptions): Promise<RunningNode> {
  const { options, log } = start;
  const book = start.book ?? createLogBook({ all: 'info', rooms: {} });
  const stopped = new AbortController();
  start.signal?.addEventListener('abort', () => stopped.abort(), { once: true });
  if (start.signal?.aborted) stopped.abort();
  const events = createEvents((error) => log.error({ err: error }, 'a listener failed'));
  let ffmpeg: FoundFfmpeg | null = null;
  const roots = await loadRoots(options.dataDir, { log: log.child({ room: 'keeper' }), refused: () => Boolean(ffmpeg?.tools.refused) });
  await requireFolders(options.libraries, await placesOf(roots));
  const found = await findFfmpeg(ffmpegWish(options));
  ffmpeg = found;
  const { tools } = found;
  if (tools.refused) log.error(refusal(tools.refused).message);
  let member: Member | null = null;
  let url = '';
  let isRunning = false;
  const told = new Set<string>();
  let lastTold: 'set-up' | 'machine' | null = null;
  const encoders = provedEncoders(found, log.child({ room: 'ffmpeg' }), () => member?.encodersChanged(), {
    inUse: () => member?.inUse() ?? [],
    own: path.join(options.dataDir, 'encoder-test'),
    kept: keptProofs(path.join(options.dataDir, 'encoders.json'), tools.ffmpeg.path),
  });
  const setup = options.auth === 'none' ? null : createSetupToken({ fixed: options.setupToken, onNew: (token) => keepToken(token) });
  const house: House = {
    setup,
    onClosed: () => tell('set-up'),
    options,
    log,
    signal: stopped.signal,
    ...(await loadIdentity(options.dataDir)),
    secret: kept(await loadSecret(options.dataDir)),
    session: randomUUID(),
    book,
    tools,
    ffmpeg: found,
    roots,
    workspace: await openWorkspace(options.dataDir),
    events,
    encoders,
    peers: [...options.peers],
    url: () => url,
    restored: null,
    fault: start.fault ?? null,
  };

  let standing: Standing = { state: 'starting' };
  let ways: { joining: Joining; lobby: Lobby } | null = null;
  /** a person took this machine out of it, and nobody has let it in again yet */
  let removedFrom: ClusterName | null = null;
  /** what a person chose while there was no way to do it at once */
  let choice = Promise.withResolvers<Choice>();
  const front = createFront({
    host: options.host,
    port: options.port,
    secret: house.secret,
    node: { id: house.id, name: options.name, version },
    access: { open: options.auth === 'none', token: setup },
    log: log.child({ room: 'web' }),
    logs: book,
    supportBundle: (wish, signal) =>
      member
        ? member.supportBundle(wish, signal)
        : makeSupportBundle({ house, db: null, settings: null, standing, surroundings: null }, wish, signal),
    tls: tlsOf(options),
    onRenewed: () => void announce().catch((error: unknown) => log.warn({ why: messageOf(error) }, 'the command line was not told')),
    local: () => member?.local() ?? null,
    tunnel: () => member?.tunnel() ?? null,
    standing: () => (member && standing.state === 'member' ? member.standing() : standing),
    surroundings: () => {
      const now = member?.standing();
      const mine = now?.state === 'member' ? now.cluster.id : null;
      return withLobby(
        member?.surroundings() ?? null,
        member?.lobby ?? ways?.lobby ?? null,
        mine,
        options.meshPort === 0 ? 0 : options.meshPort + 1,
      );
    },
    actions: actions(),
    allowedHosts: () => member?.hostNames() ?? [],
  });
  ({ url } = await front.start());
  await announce();
  const ready = Promise.withResolvers<void>();
  const life = live().then(
    // stopped before it began: nobody else would say so to whoever waits for the start
    () => ready.reject(cutShort()),
    (error: unknown) => {
      ready.reject(error);
      if (!stopped.signal.aborted) log.error({ why: messageOf(error) }, 'this node cannot go on');
      throw error;
    },
  );
  life.catch(() => {});
  void encoders.run();
  try {
    await ready.promise;
    isRunning = true;
    await announce();
  } catch (error) {
    await stop({ how: 'cancel', hurry: Promise.resolve() });
    throw error;
  }
  log.info({ node: options.name, id: house.id, url, ffmpeg: tools.ffmpeg.version, standing: standing.state }, 'this node is running');
  return { url, stop };

  function announce(): Promise<void> {
    return announceRunning(options.dataDir, {
      url,
      pid: process.pid,
      secret: house.secret,
      certificate: front.certificate(),
      ready: isRunning,
    });
  }

  async function live(): Promise<void> {
    let wanted: Choice = { join: null };
    while (!stopped.signal.aborted) {
      const belonging = await seek(wanted);
      if ('join' in belonging || 'own' in belonging) {
        wanted = belonging;
        continue;
      }
      removedFrom = null;
      if (stopped.signal.aborted) {
        await belonging.db?.close();
        throw cutShort();
      }
      const now = await startMember(house, belonging, () => front.changed());
      member = now;
      try {
        if (stopped.signal.aborted) throw cutShort();
        say(now.standing());
        begin(now);
      } catch (error) {
        // nobody else would: what still ran would keep the process alive
        await now.stop({ how: 'cancel', hurry: Promise.resolve(), leaving: true });
        throw error;
      }
      wanted = await ended(now);
    }
  }

  /** Resolves with another choice when the database that this machine holds still says that it was removed. */
  async function seek(wanted: Choice): Promise<Belonging | Choice> {
    try {
      return await findBelonging(house, {
        wanted: 'join' in wanted ? wanted.join : null,
        own: 'own' in wanted,
        say,
        offer: (now) => void (ways = now),
        onCode: (code, cluster) => start.onCode?.(code, cluster),
        signal: stopped.signal,
      });
    } catch (error) {
      if (!removedFrom || stopped.signal.aborted || !(error instanceof PlainError)) throw error;
      log.warn({ why: error.message }, 'this machine is not let back in yet');
      say({ state: 'rejected', cluster: removedFrom, why: error.message });
      return await chosen();
    }
  }

  /** How this membership came to its end; resolves with what to do next. */
  async function ended(now: Member): Promise<Choice> {
    const left = choice.promise.then((next) => ({ why: 'left', next }) as const);
    const ending = await Promise.race([now.over, left, aborted()]);
    if (ending === null) return { join: null };
    log.info({ why: ending.why }, 'this membership ended');
    choice = Promise.withResolvers();
    const cluster = now.standing();
    await now.stop({ how: 'cancel', hurry: Promise.resolve(), leaving: false });
    member = null;
    if (ending.why === 'revoked') return whenRevoked(cluster);
    if (ending.why === 'restore') return putBack(ending);
    say({ state: 'starting' });
    await leaveCluster(options.dataDir);
    return ending.why === 'left' ? ending.next : { join: ending.into };
  }

  /** All work has stopped; the page says what happens. Whatever comes of it, this machine starts again afterwards. */
  async function putBack({ file, passphrase, by }: Extract<Ending, { why: 'restore' }>): Promise<Choice> {
    const { dataDir, databaseUrl, secretKeyFile } = options;
    const wish = { file, passphrase, by, dataDir, databaseUrl, secretKeyFile, log, replace: true, signal: stopped.signal };
    say({ state: 'restoring', says: 'All work is stopped.', done: null, of: null });
    try {
      const { takenAt, safety, notes } = await restoreBackup({ ...wish, onStep: (step) => say({ state: 'restoring', ...step }) });
      const says = [
        `The backup from ${takenAt.slice(0, 16).replace('T', ' ')} UTC was put back.`,
        ...(safety ? [`What was there before is in ${path.basename(safety)}.`] : []),
        ...notes,
      ];
      house.restored = { what: 'restore', good: true, says, at: new Date() };
      log.warn({ file: path.basename(file), safety }, 'a backup was put back');
    } catch (error) {
      // nobody opens a database that is half exchanged
      const tookPlace = isUndecided(error) && (await settled());
      const outcome = tookPlace ? 'All the same it took place: the backup was put back.' : 'Everything is as it was before.';
      house.restored = { what: 'restore', good: tookPlace, says: [messageOf(error), outcome], at: new Date() };
      log.error({ why: messageOf(error), outcome }, 'a restore did not go its way');
    }
    say({ state: 'starting' });
    return { join: null };
  }

  /** Only an external database knows what became of a restore that was cut off, so it is asked until it answers. */
  async function settled(): Promise<boolean> {
    for (;;)
      try {
        return await settleDatabase(options.dataDir, log);
      } catch (error) {
        if (stopped.signal.aborted) throw cutShort();
        log.warn({ why: messageOf(error) }, 'it is not known yet what became of a restore');
        say({ state: 'restoring', says: messageOf(error), done: null, of: null });
        await pause(ASK_AGAIN_MS, null, { signal: stopped.signal }).catch(() => {});
      }
  }

  /** Nothing is done by itself: a person removed this machine, and a person brings it back. */
  async function whenRevoked(before: Standing): Promise<Choice> {
    removedFrom = before.state === 'member' ? before.cluster : { id: '', name: '' };
    say({ state: 'revoked', cluster: removedFrom });
    const next = await chosen();
    if (!stopped.signal.aborted) await forgetCluster(options.dataDir);
    return next;
  }

  async function chosen(): Promise<Choice> {
    const next = await Promise.race([choice.promise, aborted()]);
    choice = Promise.withResolvers();
    return next ?? { join: null };
  }

  /**
   * A start by hand ends with what is wrong with its folder, if it is this machine that says so. Whoever has to ask another
   * one is ready without, and so is a candidate while the database or the mesh lets it wait.
   */
  function begin(now: Member): void {
    addFolders(house, now, options.libraries).then(ready.resolve, (error: unknown) => {
      if (!isRunning && now.coordinator?.term() != null) ready.reject(error);
      else if (!stopped.signal.aborted) log.error({ why: messageOf(error) }, 'a folder could not be added');
    });
    if (now.coordinator) setTimeout(() => ready.resolve(), READY_MS).unref();
    else ready.resolve();
  }

  function say(now: Standing): void {
    standing = now;
    // whoever waits for a person is as ready as can be: the page says for what
    if (now.state === 'pending' || now.state === 'rejected' || now.state === 'revoked') tell('machine');
    if (now.state === 'asking' || now.state === 'pending' || now.state === 'rejected' || now.state === 'revoked') ready.resolve();
    front.changed();
  }

  /** On the console, where only somebody is who has this machine. */
  function tell(why: 'set-up' | 'machine'): void {
    if (!setup || told.has(`${why} ${setup.current()}`)) return;
    told.add(`${why} ${setup.current()}`);
    lastTold = why;
    const page = new URL(why === 'set-up' ? '/setup' : '/node/token', url);
    if (['127.0.0.1', '0.0.0.0', '[::1]', '[::]'].includes(page.hostname)) page.hostname = 'localhost';
    start.onToken?.(`${page.href}#token=${setup.current()}`, setup.current(), why);
  }

  /** Beside the console, for whoever cannot see it. A new one is told again. */
  function keepToken(token: string): void {
    keepSecret(token);
    const again = lastTold;
    void writeFile(path.join(options.dataDir, 'setup-token'), `${token}\n`, { mode: 0o600 })
      .then(() => void (again && tell(again)))
      .catch((error: unknown) => log.warn({ why: messageOf(error) }, 'the set-up token could not be written into the data directory'));
  }

  function actions(): FrontActions {
    return {
      async askAgain(cluster) {
        // one that seeks already would remember a second wish, and leave by it what it has just joined
        if (ways && cluster) ways.joining.choose(cluster);
        else if (!ways && removedFrom) choice.resolve({ join: cluster ?? removedFrom.id });
        else throw new PlainError('This machine asks already, or has nothing to ask for.');
      },
      async foundOwn() {
        if (ways) return ways.joining.foundOwn();
        if (!removedFrom) throw new PlainError('This machine belongs to a cluster already.');
        mayLeave();
        choice.resolve({ own: true });
      },
      async leaveAndJoin(cluster) {
        if (ways) return ways.joining.choose(cluster);
        mayLeave();
        choice.resolve({ join: cluster });
      },
      async addPeer(address) {
        member?.addPeer(address);
        if (!house.peers.includes(address)) house.peers.push(address);
      },
      async stop(how) {
        if (!start.onStop) throw new PlainError('Whoever started this program ends it.');
        start.onStop(how);
      },
      neighbours: () => ((member?.lobby ?? ways?.lobby)?.around() ?? []).map(({ node, name, cluster }) => ({ node, name, cluster })),
    };
  }

  /** @throws PlainError on a machine whose database says which cluster it belongs to */
  function mayLeave(): void {
    if (!options.databaseUrl) return;
    throw new PlainError('This machine was given a database, and with it a cluster. Start it without --database-url to leave that.');
  }

  async function stop(how: Parameters<RunningNode['stop']>[0]): Promise<string[]> {
    const last = member;
    const left: string[] = [];
    // a membership that is still coming up is waited for by `live`, which sees that the program stops
    if (how.how === 'finish' && last) left.push(...(await last.stop({ ...how, leaving: true })));
    stopped.abort();
    if (how.how === 'cancel' && last) left.push(...(await last.stop({ ...how, leaving: true })));
    await Promise.race([life, new Promise((resolve) => setTimeout(resolve, 5000).unref())]).catch(() => {});
    encoders.stop();
    await front.stop();
    await withdrawRunning(options.dataDir);
    await rm(path.join(options.dataDir, 'setup-token'), { force: true });
    if (isRunning) log.info(left.length > 0 ? { left } : {}, 'stopped');
    return left;
  }

  function aborted(): Promise<null> {
    return new Promise((resolve) => {
      if (stopped.signal.aborted) resolve(null);
      else stopped.signal.addEventListener('abort', () => resolve(null), { once: true });
    });
  }
}

/** @throws PlainError when only one of the two files was named */
function tlsOf({ tls, tlsCert, tlsKey, dataDir }: RunOptions): TlsWish {
  if (tlsCert !== null && tlsKey !== null) return { kind: 'files', cert: path.resolve(tlsCert), key: path.resolve(tlsKey) };
  if (tlsCert !== null || tlsKey !== null)
    throw new PlainError('A certificate needs its key and a key its certificate: give both --tls-cert and --tls-key.');
  return tls === 'own' ? { kind: 'own', dataDir } : { kind: 'off' };
}

/** No line of the log may tell it. */
function kept(secret: string): string {
  keepSecret(secret);
  return secret;
}

function cutShort(): PlainError {
  return new PlainError('Stopped before the start was complete.');
}

/** How long a start waits for somebody to coordinate before it shows its page, which then says that nobody does. */
const READY_MS = 15_000;
/** How often a database is asked what became of a restore. */
const ASK_AGAIN_MS = 5000;
