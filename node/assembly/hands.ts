import path from 'node:path';
import type { Reason } from '../core/reasons.ts';
import { PlainError } from '../errors.ts';
import type { Tools } from '../ffmpeg/locate.ts';
import { openPictures, type Pictures } from '../files/pictures.ts';
import { openWorkspace } from '../files/workspace.ts';
import { createKeeper, type Keeper } from '../keeper/keeper.ts';
import { localSource } from '../keeper/serve.ts';
import { createWatcher, type Watcher } from '../keeper/watcher.ts';
import { fetchFile } from '../mesh/bulk-client.ts';
import { openBulk } from '../mesh/bulk-open.ts';
import type { Greeter } from '../mesh/greeter.ts';
import type { Mesh } from '../mesh/mesh.ts';
import type { NetworkMesh } from '../mesh/network.ts';
import type { Outbox } from '../mesh/outbox.ts';
import { createAwake } from '../worker/awake.ts';
import { createHousehold, type Household } from '../worker/household.ts';
import { createSampler, type Sampler } from '../worker/sampler.ts';
import { createFeeler } from '../worker/senses.ts';
import type { Sources } from '../worker/source.ts';
import { attemptSpaces } from '../worker/spaces.ts';
import { createWorker, type Worker } from '../worker/worker.ts';
import type { House } from './house.ts';

/** What of a member works on films: its keeper with the eyes on its disks, its worker with the manners of a guest. Not started. */
export interface Hands {
  keeper: Keeper;
  watcher: Watcher;
  worker: Worker;
  sampler: Sampler;
  household: Household;
  pictures: Pictures;
}

export interface HandsParts {
  mesh: NetworkMesh;
  /** the same mesh, on which only the coordinator is obeyed */
  ordered: Mesh;
  outbox: Outbox;
  greeter: Greeter;
  /** what this machine may use of the network; 0: no limit */
  mbps: () => number;
}

export async function createHands(house: House, parts: HandsParts): Promise<Hands> {
  const { options, roots, workspace, tools, log } = house;
  const { mesh, ordered, outbox, greeter } = parts;
  const bring = fetcher(mesh, parts.mbps);
  const pictures = openPictures(options.dataDir);
  const sources = sourcesOf(house, greeter, bring);
  const spaces = attemptSpaces(workspace);
  const household = createHousehold({ feeler: createFeeler(), awake: createAwake(), refused: () => refusedBy(tools) });
  const keeper = createKeeper({
    mesh: ordered,
    roots,
    tools,
    outbox,
    outputOf: async (_node, attempt, extension) => workspace.outputOf(attempt, extension),
    fetch: bring,
    onAdopted: () => greeter.tell(),
    pictures,
    log: log.child({ room: 'keeper' }),
    ...(house.fault ? { fault: house.fault } : {}),
  });
  const watcher = createWatcher({
    mesh,
    coordinator: greeter.coordinator,
    roots,
    onState: () => void greeter.tell(),
    log: log.child({ room: 'keeper' }),
  });
  const worker = createWorker({
    mesh: ordered,
    session: house.session,
    tools,
    outbox,
    coordinator: greeter.coordinator,
    encoders: house.encoders.known,
    detectAgain: () => void house.encoders.run(),
    source: sources,
    household,
    workspace: spaces,
    log: log.child({ room: 'worker' }),
  });
  const sampler = createSampler({
    mesh: ordered,
    tools,
    sources,
    lend: () => worker.lend(),
    workspace: attemptSpaces(await openWorkspace(path.join(options.dataDir, 'samples'))),
    log: log.child({ room: 'worker' }),
  });
  return { keeper, watcher, worker, sampler, household, pictures };
}

type Bring = ReturnType<typeof fetcher>;

/** Where a worker gets a film from: its own mount of the root, or the keeper's data plane. */
function sourcesOf({ id, roots }: House, greeter: Greeter, bring: Bring): Sources {
  return {
    local: (grant, stop) =>
      localSource({ node: id, roots }, grant, stop).catch(async (error: unknown) => {
        // the next claim must know already that this disk is away, or the whole queue would be tried in seconds
        if (error instanceof PlainError && error.reason?.code === 'root-not-mounted') await greeter.tell();
        throw error;
      }),
    fetch: async (grant, into, onProgress, signal) => {
      const sizeBytes = grant.fingerprint.sizeBytes;
      return (await bring({ holder: grant.keeper, ticket: grant.ticket, target: into, sizeBytes, sha256: null, onProgress, signal }))
        .sha256;
    },
  };
}

function refusedBy({ refused }: Tools): Reason | null {
  return refused ? { code: 'ffmpeg-refused', params: { says: refused.says } } : null;
}

/** Reads one file of another member over its data plane. */
function fetcher(mesh: NetworkMesh, mbps: () => number) {
  return (wish: {
    holder: string;
    ticket: { payload: string; signature: string } | null;
    target: string;
    sizeBytes: number;
    sha256: string | null;
    onProgress: (bytes: number) => void;
    signal: AbortSignal;
  }): Promise<{ sha256: string }> => {
    const { holder, ticket, ...rest } = wish;
    if (!ticket) throw new PlainError('The coordinator gave no right to read this file from another machine.', { retry: true });
    return fetchFile({ ...rest, open: openBulk({ mesh, hostOf: mesh.hostOf }, holder, ticket), mbps, stallMs: 30_000 });
  };
}
