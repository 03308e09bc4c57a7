import type { Hello } from '../mesh/greeter.ts';
import type { Keeper } from '../keeper/keeper.ts';
import { listPictures } from '../files/pictures.ts';
import type { Membership } from '../mesh/membership.ts';
import { speaks } from '../core/compatibility.ts';
import { version } from '../version.ts';
import type { Watcher } from '../keeper/watcher.ts';
import type { Worker } from '../worker/worker.ts';
import { hardwareFacts, platformWords, type House } from './house.ts';

/** What a node says of itself in its hello. */
export async function helloFacts(
  house: House,
  parts: { worker: Worker; keeper: Keeper; watcher: Watcher; membership: Membership; candidate: boolean },
): Promise<Hello> {
  const { worker, keeper, membership } = parts;
  const encoders = house.encoders.known();
  return {
    node: house.id,
    session: house.session,
    name: house.options.name,
    version,
    speaks,
    platform: platformWords(),
    slots: worker.slots(),
    // before the encoders were tested there is nothing that it could be given
    classes: encoders.length ? worker.classes() : [],
    encoders: encoders.map((e) => ({ ...e, reason: e.reason?.slice(0, 2000) ?? null })),
    hardware: hardwareFacts(),
    ffmpeg: ffmpegFacts(house),
    roots: await house.roots.report(),
    attempts: [...new Set([...(await worker.attempts()), ...(await keeper.attempts())])].slice(0, 200),
    pictures: some(await listPictures(house.options.dataDir).catch(() => [])),
    watching: parts.watcher.state().slice(0, 200),
    candidate: parts.candidate,
    freeBytes: await house.workspace.freeBytes(),
    usedBytes: await house.workspace.usedBytes(),
    time: Date.now(),
    utcOffset: -new Date().getTimezoneOffset(),
    membersVersion: membership.members().version,
    certificate: membership.certificate()?.signed ?? null,
  };
}

function ffmpegFacts({ ffmpeg, options }: House): Hello['ffmpeg'] {
  const builds = ffmpeg.builds().map((build) => ({ ...build, ...aged(build), encoders: [...build.encoders], lacks: [...build.lacks] }));
  const told = builds
    .slice(0, MOST_FFMPEGS)
    .map((build) => ({ ...build, ffprobe: build.ffprobe && { ...build.ffprobe, ...aged(build.ffprobe) } }));
  const { used } = ffmpeg.choice();
  return { builds: told, used: used !== null && used < told.length ? used : null, allowed: options.allowVulnerableFfmpeg };
}

function aged(build: { path: string; release: readonly number[] | null }): { path: string; release: number[] | null } {
  return { path: build.path.slice(0, 1000), release: build.release && [...build.release] };
}

/** A stretch of a long list, another one each time: whoever hears them all in turn misses none for long. */
function some(all: readonly number[]): number[] {
  const at = all.length > MOST_TOLD ? Math.floor(Math.random() * all.length) : 0;
  return [...all.slice(at), ...all.slice(0, at)].slice(0, MOST_TOLD);
}

const MOST_TOLD = 200;
const MOST_FFMPEGS = 12;
