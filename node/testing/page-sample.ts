import type { Probe } from '../core/media.ts';
import { defaultProfile } from '../core/profile.ts';
import type { Queryable } from '../db/connect.ts';
import type { Sample } from './sample.ts';
import { aVideoStream } from './video-stream.ts';

/**
 * What `fillSample` leaves out and the detail pages show: files skipped and failed with their reasons, a held and a
 * cancelled job, one job with everything (attempts, checks, an original in the trash), settings that were changed.
 */
export interface PageSample {
  replacedJob: number;
  replacedFile: number;
  original: number;
  failedJob: number;
  failedFile: number;
  heldJob: number;
  cancelledJob: number;
  skippedFile: number;
  keptJob: number;
}

const GB = 1e9;
const plan = {
  action: 'transcode',
  reason: { code: 'not-hevc', params: { codec: 'h264', height: 1080, megabits: 19 } },
  container: 'matroska',
  extension: '.mkv',
  dropped: [],
  streams: [
    { index: 0, kind: 'video', action: 'encode', codec: 'hevc', note: null },
    { index: 1, kind: 'audio', action: 'copy', codec: 'truehd', note: null },
    { index: 2, kind: 'audio', action: 'copy', codec: 'ac3', note: null },
    { index: 3, kind: 'subtitle', action: 'copy', codec: 'hdmv_pgs_subtitle', note: null },
  ],
  video: { bitDepth: 10, deinterlace: false },
  expectedBytes: 9.1 * GB,
};

export async function fillPageSample(q: Queryable, sample: Sample): Promise<PageSample> {
  const { films, tv, shorts } = sample.libraries;
  const replacedFile = await file(
    q,
    films,
    'The Phantom of the Opera',
    '1925',
    'hevc',
    8.7 * GB,
    'done',
    { code: 'replaced', params: { saved: 14.6 * GB } },
    { original: 23.3 * GB, probe: probe('hevc', 10, 8.7 * GB) },
  );
  const replacedJob = await job(q, replacedFile, films, 23.3 * GB, { state: 'completed', outcome: 'replaced', output: 8.7 * GB });
  await attempt(q, replacedJob, sample.nodeId, 1, 'lost', { code: 'lost-node', params: { node: 'atlas' } }, {});
  const winner = await attempt(q, replacedJob, sample.nodeId, 2, 'succeeded', null, {
    command: [
      '-hide_banner',
      '-nostdin',
      '-i',
      "file:/srv/media/films/The Phantom's Opera (1925).mkv",
      '-map',
      '0:0',
      '-c:v',
      'libx265',
      '-crf',
      '22',
      '-preset',
      'medium',
      '-x265-params',
      'log-level=error',
      '-map',
      '0:1',
      '-c:a',
      'copy',
      'file:/var/tmp/out.mkv',
    ],
    stderr:
      'frame= 2400 fps=148 q=28.0 size= 81920KiB time=00:01:40.00 bitrate=6710.9kbits/s speed=6.2x\n[matroska @ 0x55] video:8601214KiB audio:98211KiB subtitle:1022KiB\n',
    outputProbe: probe('hevc', 10, 8.7 * GB),
    stats: { originalProbe: probe('h264', 8, 23.3 * GB) },
    verdict: { accepted: true, checks: checks(true) },
    encoded: true,
  });
  await q.query(
    `update jobs set attempt_id = $2, started_at = now() - interval '3 hours', finished_at = now() - interval '2 hours' where id = $1`,
    [replacedJob, winner],
  );
  const [root] = await q.query<{ root: string }>(`select root_id as root from libraries where id = $1`, [films]);
  const [original] = await q.query<{ id: number }>(
    `insert into originals (attempt_id, job_id, file_id, title, root_id, path, trash_path, size_bytes, fingerprint, expires_at)
     values ($1, $2, $3, 'The Phantom of the Opera', $4, 'a.mkv', '.codecshift/trash/a.mkv', $5, '{}', now() + interval '13 days') returning id`,
    [winner, replacedJob, replacedFile, root!.root, Math.round(23.3 * GB)],
  );
  const failedFile = await file(
    q,
    tv,
    'Dragnet',
    'S02 E01',
    'mpeg2video',
    2.7 * GB,
    'failed',
    { code: 'protected-after-failures', params: { failures: 3 } },
    {},
  );
  const failedJob = await job(q, failedFile, tv, 2.7 * GB, {
    state: 'failed',
    failures: 3,
    reason: { code: 'protected-after-failures', params: { failures: 3 } },
  });
  for (const n of [1, 2, 3]) {
    await attempt(
      q,
      failedJob,
      sample.nodeId,
      n,
      'failed',
      { code: 'ffmpeg-failed', params: { exit: 69, message: 'Invalid data found when processing input' } },
      {
        command: ['-i', 'file:/srv/media/tv/x.mkv'],
        stderr:
          '[mpeg2video @ 0x5581] ac-tex damaged at 12 7\nError while decoding stream #0:0: Invalid data found when processing input\n',
      },
    );
  }
  const heldFile = await file(q, films, 'Carnival of Souls', '1962', 'h264', 9.9 * GB, 'queued', plan.reason, {});
  const heldJob = await job(q, heldFile, films, 9.9 * GB, {
    state: 'held',
    reason: { code: 'target-exists', params: { name: 'Carnival of Souls (1962).mkv' } },
  });
  const cancelledFile = await file(
    q,
    shorts,
    'Big Buck Bunny',
    '2008',
    'h264',
    3.3 * GB,
    'skipped',
    { code: 'cancelled-by-person', params: { by: 'dashboard' } },
    {},
  );
  const cancelledJob = await job(q, cancelledFile, shorts, 3.3 * GB, {
    state: 'cancelled',
    reason: { code: 'cancelled-by-person', params: { by: 'dashboard' } },
  });
  const keptFile = await file(
    q,
    shorts,
    'Elephants Dream',
    '2006',
    'h264',
    0.8 * GB,
    'kept',
    { code: 'small-saving', params: { saved: 4, limit: 10 } },
    {},
  );
  const keptJob = await job(q, keptFile, shorts, 0.8 * GB, {
    state: 'completed',
    outcome: 'kept',
    output: 0.77 * GB,
    reason: { code: 'small-saving', params: { saved: 4, limit: 10 } },
  });
  const skippedFile = await file(
    q,
    films,
    'The Man Who Knew Too Much',
    '1934',
    'hevc',
    4.1 * GB,
    'skipped',
    { code: 'already-hevc' },
    { probe: probe('hevc', 8, 4.1 * GB) },
  );
  await file(
    q,
    films,
    'Gulliver’s Travels',
    '1939',
    'h264',
    1.2 * GB,
    'skipped',
    { code: 'already-efficient', params: { bitsPerPixel: 0.031, limit: 0.04 } },
    {},
  );
  await file(q, tv, 'Sherlock Holmes', 'S01 E05', 'mpeg2video', 1.9 * GB, 'skipped', { code: 'interlaced' }, {});
  await q.query(
    `insert into activity (kind, severity, job_id, file_id, library_id, params) values ('replaced', 0, $1, $2, $3, $4), ('attempt-lost', 1, $1, $2, $3, '{}')`,
    [replacedJob, replacedFile, films, JSON.stringify({ title: 'The Phantom of the Opera', before: 23.3 * GB, after: 8.7 * GB })],
  );
  await q.query(
    `insert into activity (kind, severity, library_id, params, by) values ('scan-failed', 1, $1, '{"library":"Shorts"}', null), ('queue-paused', 0, null, '{}', 'dashboard')`,
    [shorts],
  );
  await q.query(`insert into settings (key, value, version, updated_by) values ('jobs.maxFailures', '5', 2, 'dashboard')`);
  await q.query(
    `insert into settings_history (key, old_value, new_value, by) values ('jobs.maxFailures', null, '4', 'dashboard'), ('jobs.maxFailures', '4', '5', 'dashboard'), ('queue.order', null, '"oldest"', 'dashboard')`,
  );
  await q.query(`insert into scans (library_id, state, ended_at, seen, added, changed) values ($1, 'completed', now(), 8412, 12, 3)`, [
    films,
  ]);
  await q.query(`insert into scans (library_id, seen, inspected, added) values ($1, 412, 120, 40)`, [tv]);
  await q.query(`update libraries set problem = '{"code":"root-not-mounted","params":{"path":"/srv/media/shorts"}}' where id = $1`, [
    shorts,
  ]);
  await q.query(`update node_roots set problem = 'root-not-mounted' where root_id = (select root_id from libraries where id = $1)`, [
    shorts,
  ]);
  return { replacedJob, replacedFile, original: original!.id, failedJob, failedFile, heldJob, cancelledJob, skippedFile, keptJob };
}

export async function file(
  q: Queryable,
  library: number,
  title: string,
  detail: string,
  codec: string | null,
  bytes: number,
  status: string,
  reason: object | null,
  more: { original?: number; probe?: Probe; path?: string },
): Promise<number> {
  const [row] = await q.query<{ id: number }>(
    `insert into media_files (library_id, path, title, detail, size_bytes, mtime_ms, codec, width, height, duration_ms, bitrate, status, reason, container, original_bytes, probe, made_hash)
     values ($1, $2, $3, $4, $5, 1700000000000, $6, 1920, 1080, 5400000, 12000000, $7, $8, 'matroska', $9, $10, $11) returning id`,
    [
      library,
      more.path ?? `${title}/${title} (${detail}).mkv`,
      title,
      detail,
      Math.round(bytes),
      codec,
      status,
      reason && JSON.stringify(reason),
      more.original ? Math.round(more.original) : null,
      more.probe ? JSON.stringify(more.probe) : null,
      more.original ? 'made' : null,
    ],
  );
  return row!.id;
}

export async function job(
  q: Queryable,
  fileId: number,
  library: number,
  bytes: number,
  how: {
    state: string;
    outcome?: string;
    output?: number;
    failures?: number;
    reason?: object;
    rank?: number;
    priority?: number;
    retryAt?: string;
  },
): Promise<number> {
  const over = ['completed', 'failed', 'cancelled'].includes(how.state);
  const [row] = await q.query<{ id: number }>(
    `insert into jobs (file_id, library_id, rank, priority, state, outcome, failures, plan, profile, input_bytes, expected_bytes, output_bytes, reason, started_at, finished_at, retry_at)
     values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, now() - interval '50 minutes', ${over ? 'now()' : 'null'}, $14) returning id`,
    [
      fileId,
      library,
      how.rank ?? -Math.round(bytes * 0.6),
      how.priority ?? 1,
      how.state,
      how.outcome ?? null,
      how.failures ?? 0,
      JSON.stringify(plan),
      JSON.stringify(defaultProfile),
      Math.round(bytes),
      Math.round(bytes * 0.4),
      how.output === undefined ? null : Math.round(how.output),
      how.reason ? JSON.stringify(how.reason) : null,
      how.retryAt ?? null,
    ],
  );
  return row!.id;
}

export async function attempt(
  q: Queryable,
  jobId: number,
  node: string,
  number: number,
  state: string,
  reason: object | null,
  more: { command?: string[]; stderr?: string; outputProbe?: Probe; verdict?: object; stats?: object; encoded?: boolean },
): Promise<number> {
  const over = ['succeeded', 'failed', 'lost', 'rejected', 'cancelled'].includes(state);
  const [row] = await q.query<{ id: number }>(
    `insert into attempts (job_id, term, node_id, number, state, encoder, reason, command, stderr_tail, output_probe, verdict, stats, started_at, encoded_at, ended_at)
     values ($1, 1, $2, $3, $4, 'libx265', $5, $6, $7, $8, $9, $10, now() - interval '3 hours', ${more.encoded ? `now() - interval '2 hours 20 minutes'` : 'null'}, ${over ? `now() - interval '2 hours'` : 'null'}) returning id`,
    [
      jobId,
      node,
      number,
      state,
      reason && JSON.stringify(reason),
      more.command ? JSON.stringify(more.command) : null,
      more.stderr ?? null,
      more.outputProbe ? JSON.stringify(more.outputProbe) : null,
      more.verdict ? JSON.stringify(more.verdict) : null,
      JSON.stringify(more.stats ?? {}),
    ],
  );
  return row!.id;
}

export function probe(codec: string, bitDepth: number, sizeBytes: number, change: Partial<Probe> = {}): Probe {
  const base = { codecTag: null, codecProfile: null, title: null, startMs: 0, durationMs: 5_400_000, bitrate: null, tags: {} };
  const audio = { ...base, kind: 'audio' as const, sampleRate: 48_000 };
  return {
    container: 'matroska',
    formatName: 'matroska,webm',
    durationMs: 5_400_000,
    sizeBytes,
    bitrate: Math.round((sizeBytes * 8) / 5400),
    startMs: 0,
    streams: [
      aVideoStream({ durationMs: 5_400_000, codec, bitDepth, frameRate: 23.976, averageFrameRate: 23.976 }),
      { ...audio, index: 1, codec: 'truehd', language: 'eng', disposition: ['default'], channels: 8, channelLayout: '7.1' },
      {
        ...audio,
        index: 2,
        codec: 'ac3',
        language: 'deu',
        disposition: ['comment'],
        channels: 2,
        channelLayout: 'stereo',
        title: 'Commentary',
      },
      { ...base, kind: 'subtitle', index: 3, codec: 'hdmv_pgs_subtitle', language: 'eng', disposition: ['forced'] },
    ],
    chapters: Array.from({ length: 24 }, (_, i) => ({ startMs: i * 1000, endMs: i * 1000 + 1000, title: null })),
    tags: {},
    warnings: [],
    probedBy: '7.0',
    ...change,
  };
}

function checks(passed: boolean): object[] {
  return [
    { name: 'decode', original: 'not needed', output: 'no error in 129,600 frames', passed },
    { name: 'duration', original: '1:30:00', output: '1:30:00', passed: true },
    { name: 'frames', original: '129,471', output: '129,471', passed: true },
    { name: 'audio', original: '2 streams', output: '2 streams', passed: true },
    { name: 'chapters', original: '24', output: '24', passed: true },
    { name: 'size', original: '23.3 GB', output: '8.7 GB, 63 % smaller', passed: true },
  ];
}
