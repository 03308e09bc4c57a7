import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { execFileSync } from 'node:child_process';
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, utimesSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { before, test, type TestContext } from 'node:test';
import { makePlan, type WorkPlan } from '../core/plan.ts';
import { defaultProfile } from '../core/profile.ts';
import type { Tools } from '../ffmpeg/locate.ts';
import { oneFfmpeg } from '../testing/ffmpeg-tools.ts';
import { probeFile } from '../ffmpeg/probe.ts';
import { fingerprint } from '../files/fingerprint.ts';
import { tmpName } from '../files/names.ts';
import type { Report } from '../mesh/outbox.ts';
import { recheck, type RecheckGrant } from './recheck.ts';
import { loadRoots } from './roots.ts';

/** Real files and real ffmpeg: a film in a trash, and what took its place. */
let tools: Tools;
before(async () => void (tools = await oneFfmpeg()));

interface Stage {
  films: string;
  grant: RecheckGrant;
  look(change?: Partial<RecheckGrant>): Promise<Report>;
}

const TRASHED = '.codecshift/trash/2026-11-22/7/Film.mkv';

async function stage(t: TestContext, filter = 'null'): Promise<Stage> {
  const base = mkdtempSync(path.join(os.tmpdir(), 'codecshift-recheck-'));
  t.after(() => rmSync(base, { recursive: true, force: true }));
  const films = path.join(base, 'films');
  const dataDir = path.join(base, 'data');
  mkdirSync(films);
  mkdirSync(dataDir);
  const film = path.join(films, 'Film.mkv');
  const make = (...args: string[]): Buffer => execFileSync(tools.ffmpeg.path, ['-v', 'error', '-y', ...args]);
  const source = ['-f', 'lavfi', '-i', 'testsrc2=s=320x180:d=2:r=25', '-f', 'lavfi', '-i', 'sine=d=2'];
  make(...source, '-c:v', 'libx264', '-crf', '1', '-preset', 'ultrafast', '-pix_fmt', 'yuv420p', '-c:a', 'aac', film);
  const roots = await loadRoots(dataDir);
  const { rootId: root } = await roots.adopt(films);
  const probe = await probeFile({ tools, path: film });
  const print = await fingerprint(film);
  const profile = { ...defaultProfile, tenBit: false, minSavingPercent: 0 };
  const plan = makePlan(probe, { path: 'Film.mkv', fingerprint: print, madeByUs: false, readOnly: false }, profile) as WorkPlan;
  const trashed = path.join(films, TRASHED);
  mkdirSync(path.dirname(trashed), { recursive: true });
  copyFileSync(film, trashed);
  // as another machine's mount shows it: another inode, another time
  utimesSync(trashed, 1, 1);
  const x265 = ['-c:v', 'libx265', '-preset', 'ultrafast', '-crf', '26', '-x265-params', 'log-level=none', '-pix_fmt', 'yuv420p'];
  make('-i', trashed, '-map', '0', '-c', 'copy', '-vf', filter, ...x265, '-fps_mode', 'passthrough', '-map_metadata', '0', film);
  const bytes = readFileSync(film);
  const grant: RecheckGrant = {
    ...{ op: 'recheck', term: 1, job: 1, attempt: 7, root, low: true, timeoutSeconds: 120 },
    original: { path: TRASHED, sizeBytes: print.sizeBytes, hash: print.hash },
    output: { path: 'Film.mkv', waiting: false, sizeBytes: bytes.length, sha256: createHash('sha256').update(bytes).digest('hex') },
    probe: probe as never,
    plan: plan as never,
    profile: profile as never,
  };
  const look = (change: Partial<RecheckGrant> = {}): Promise<Report> =>
    recheck({ roots, tools, onProgress: () => {} }, { ...grant, ...change }, new AbortController());
  return { films, grant, look };
}

function codeOf(report: Report): string {
  if (report.event === 'rechecked') {
    const verdict = report.verdict as { accepted: boolean; reason?: { code: string } };
    return verdict.accepted ? 'accepted' : (verdict.reason?.code ?? '');
  }
  return report.event === 'not-rechecked' ? `not: ${report.reason.code}` : report.event;
}

test('a good copy is found good beside its original in the trash, and while it still waits for its swap', async (t) => {
  const s = await stage(t);
  const found = await s.look();
  assert.equal(codeOf(found), 'accepted', JSON.stringify(found).slice(0, 2000));
  copyFileSync(path.join(s.films, 'Film.mkv'), path.join(s.films, tmpName(7, 'Film.mkv')));
  assert.equal(codeOf(await s.look({ output: { ...s.grant.output, waiting: true } })), 'accepted');
  assert.equal(codeOf(await s.look({ attempt: 8, output: { ...s.grant.output, waiting: true } })), 'not: missing');
});

test('a copy of the right length and number of pictures that shows black is found bad', async (t) => {
  const s = await stage(t, 'drawbox=t=fill:c=black');
  assert.equal(codeOf(await s.look()), 'pictures-differ');
});

test('something else than the copy that was made, or than its original, is not judged', async (t) => {
  const s = await stage(t);
  const other = { ...s.grant.output, sha256: 'b'.repeat(64) };
  assert.equal(codeOf(await s.look({ output: other })), 'not: hash-mismatch');
  assert.equal(codeOf(await s.look({ original: { ...s.grant.original, hash: 'c'.repeat(64) } })), 'not: file-changed');
  assert.equal(codeOf(await s.look({ original: { ...s.grant.original, path: 'Away.mkv' } })), 'not: missing');
});
