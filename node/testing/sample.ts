import type { WorkPlan } from '../core/plan.ts';
import { defaultProfile } from '../core/profile.ts';
import type { Queryable } from '../db/connect.ts';
import type { Events, Progress } from '../events.ts';

/**
 * A collection as it looks in the middle of the work, for tests and pictures of the pages: public-domain films, three
 * libraries, a node with encoders, a queue, running jobs, results. Written as rows, because no test of a page should
 * have to encode anything. Needs a connection that may write as the coordinator.
 */
export interface Sample {
  nodeId: string;
  libraries: { films: number; tv: number; shorts: number };
  running: number[];
  waiting: number[];
}

const GB = 1e9;
const node = 'node-atlas';

export async function fillSample(q: Queryable, options: { extraWaiting?: number } = {}): Promise<Sample> {
  await addNodes(q);
  const libraries = { films: await addLibrary(q, 'Films'), tv: await addLibrary(q, 'TV'), shorts: await addLibrary(q, 'Shorts') };
  await addBulk(q, libraries);
  const running = [
    await addJob(q, libraries.films, {
      title: 'Metropolis',
      detail: '1927',
      codec: 'h264',
      height: 2160,
      size: 38.2 * GB,
      expected: 14.9 * GB,
      state: 'running',
    }),
    await addJob(q, libraries.shorts, {
      title: 'Sintel',
      detail: '2010',
      codec: 'h264',
      height: 2160,
      size: 11.6 * GB,
      expected: 4.8 * GB,
      state: 'running',
    }),
    await addJob(q, libraries.tv, {
      title: 'The Lucy Show',
      detail: 'S02 E14',
      codec: 'mpeg2video',
      height: 480,
      size: 3.1 * GB,
      expected: 0.7 * GB,
      state: 'running',
    }),
    await addJob(q, libraries.shorts, {
      title: 'Tears of Steel',
      detail: '2012',
      codec: 'h264',
      height: 1080,
      size: 6.3 * GB,
      expected: 2.6 * GB,
      state: 'running',
      attempt: 'verifying',
      output: 2.6 * GB,
    }),
  ];
  const waiting: number[] = [];
  for (const film of upNext) waiting.push(await addJob(q, libraries[film.library], { ...film, state: 'available' }));
  for (const film of finished) await addJob(q, libraries[film.library], { ...film, state: 'completed' });
  await addWaiting(q, libraries.tv, options.extraWaiting ?? 300);
  await addDays(q);
  return { nodeId: node, libraries, running, waiting };
}

/** The numbers that a worker would gossip. */
export function sampleProgress(events: Events, sample: Sample): void {
  const base = { attemptId: 1, nodeId: node, outputBytes: null, expectedBytes: null, paused: false };
  const list: Progress[] = [
    {
      ...base,
      jobId: sample.running[0]!,
      phase: 'encoding',
      percent: 63.4,
      fps: 148,
      speed: 6.2,
      leftMs: 12 * 60_000,
      expectedBytes: 14.9 * GB,
    },
    {
      ...base,
      jobId: sample.running[1]!,
      phase: 'encoding',
      percent: 28.1,
      fps: 131,
      speed: 5.5,
      leftMs: 7 * 60_000,
      expectedBytes: 4.8 * GB,
    },
    {
      ...base,
      jobId: sample.running[2]!,
      phase: 'encoding',
      percent: 81.7,
      fps: 402,
      speed: 13.4,
      leftMs: 100_000,
      expectedBytes: 0.7 * GB,
    },
    { ...base, jobId: sample.running[3]!, phase: 'verifying', percent: 71, fps: null, speed: null, leftMs: 40_000, outputBytes: 2.6 * GB },
  ];
  for (const progress of list) events.emit('job.progressed', progress);
}

type Lib = 'films' | 'tv' | 'shorts';
interface Film {
  title: string;
  detail: string;
  codec: string;
  height: number;
  size: number;
  expected: number;
}

const upNext: (Film & { library: Lib })[] = [
  { library: 'films', title: 'The General', detail: '1926', codec: 'h264', height: 1080, size: 24.8 * GB, expected: 9.7 * GB },
  { library: 'films', title: 'Charade', detail: '1963', codec: 'h264', height: 1080, size: 19.3 * GB, expected: 7.9 * GB },
  { library: 'films', title: 'D.O.A.', detail: '1949', codec: 'vc1', height: 1080, size: 16 * GB, expected: 6.8 * GB },
  { library: 'shorts', title: 'Spring', detail: '2019', codec: 'h264', height: 2160, size: 13.9 * GB, expected: 6.4 * GB },
  { library: 'shorts', title: 'Cosmos Laundromat', detail: '2015', codec: 'h264', height: 2160, size: 9.7 * GB, expected: 4.4 * GB },
  { library: 'tv', title: 'Dragnet', detail: 'S01 E03', codec: 'mpeg2video', height: 480, size: 2.9 * GB, expected: 0.7 * GB },
];

const finished: (Film & { library: Lib; output: number; outcome?: 'kept' })[] = [
  {
    library: 'tv',
    title: 'Beverly Hillbillies',
    detail: 'S01 E07',
    codec: 'mpeg2video',
    height: 480,
    size: 2.4 * GB,
    expected: 0.8 * GB,
    output: 2.3 * GB,
    outcome: 'kept',
  },
  {
    library: 'tv',
    title: 'One Step Beyond',
    detail: 'S02 E11',
    codec: 'mpeg2video',
    height: 480,
    size: 2.6 * GB,
    expected: 0.8 * GB,
    output: 0.8 * GB,
  },
  {
    library: 'films',
    title: 'His Girl Friday',
    detail: '1940',
    codec: 'h264',
    height: 1080,
    size: 14.2 * GB,
    expected: 6 * GB,
    output: 5.8 * GB,
  },
  {
    library: 'films',
    title: 'Nosferatu',
    detail: '1922',
    codec: 'h264',
    height: 1080,
    size: 22.7 * GB,
    expected: 9 * GB,
    output: 8.9 * GB,
  },
];

async function addNodes(q: Queryable): Promise<void> {
  const encoders = [
    {
      name: 'hevc_nvenc',
      device: 'NVIDIA GeForce RTX 4070',
      works: true,
      tenBit: true,
      hardware: true,
      reason: null,
      testedAt: new Date().toISOString(),
    },
    { name: 'libx265', device: null, works: true, tenBit: true, hardware: false, reason: null, testedAt: new Date().toISOString() },
    {
      name: 'hevc_qsv',
      device: null,
      works: false,
      tenBit: false,
      hardware: true,
      reason: 'No Intel graphics device was found (/dev/dri is missing).',
      testedAt: new Date().toISOString(),
    },
    {
      name: 'hevc_vaapi',
      device: null,
      works: false,
      tenBit: false,
      hardware: true,
      reason: 'No VAAPI device was found (/dev/dri is missing).',
      testedAt: new Date().toISOString(),
    },
  ];
  await q.query(
    `insert into nodes (id, name, version, platform, standing, encoders, hardware, slots, classes, metrics)
     values ($1, 'atlas', '0.1.0', 'Linux x64', 'approved', $2, $3, 4, '{0,1,2}', $4)`,
    [
      node,
      JSON.stringify(encoders),
      JSON.stringify({ gpu: 'RTX 4070', cpu: 'i5-13500' }),
      JSON.stringify({ gpuPercent: 88, cpuPercent: 31 }),
    ],
  );
  await q.query(`update coordinator set holder = $1, lease_until = now() + interval '1 hour'`, [node]);
}

async function addLibrary(q: Queryable, name: string): Promise<number> {
  const root = crypto.randomUUID();
  await q.query(`insert into roots (id) values ($1)`, [root]);
  await q.query(`insert into node_roots (node_id, root_id, path, writable) values ($1, $2, $3, true)`, [
    node,
    root,
    `/srv/media/${name.toLowerCase()}`,
  ]);
  const [row] = await q.query<{ id: number }>(
    `insert into libraries (name, root_id, profile, last_scan_at) values ($1, $2, $3, now()) returning id`,
    [name, root, JSON.stringify(defaultProfile)],
  );
  return row!.id;
}

/** The thousands of files that no test looks at one by one: only their counters matter. */
async function addBulk(q: Queryable, libraries: Sample['libraries']): Promise<void> {
  const cells: [number, string, string, number, number, number, number][] = [
    [libraries.films, 'done', 'hevc', 5200, 6.1e12, 6.1e12, 12.4e12],
    [libraries.tv, 'done', 'hevc', 1100, 1.1e12, 1.1e12, 1.9e12],
    [libraries.films, 'skipped', 'hevc', 3100, 6.9e12, 6.9e12, 6.9e12],
    [libraries.films, 'queued', 'h264', 4600, 19.0e12, 9.2e12, 19.0e12],
    [libraries.tv, 'queued', 'mpeg2video', 950, 1.5e12, 0.5e12, 1.5e12],
    [libraries.shorts, 'skipped', 'h264', 38, 0.21e12, 0.21e12, 0.21e12],
  ];
  for (const cell of cells)
    await q.query(
      `insert into file_counts (library_id, status, codec, n, bytes, expected, original) values ($1, $2, $3, $4, $5, $6, $7)`,
      cell,
    );
}

const plan: WorkPlan = {
  action: 'transcode',
  reason: { code: 'not-hevc' },
  container: 'matroska',
  extension: '.mkv',
  streams: [{ index: 0, kind: 'video', action: 'encode', codec: 'hevc', note: null }],
  dropped: [],
  video: { bitDepth: 10, deinterlace: false },
  expectedBytes: 600_000_000,
};

async function addJob(
  q: Queryable,
  library: number,
  film: Film & { state: 'running' | 'available' | 'completed'; attempt?: string; output?: number; outcome?: 'kept' },
): Promise<number> {
  const outcome = film.state === 'completed' ? (film.outcome ?? 'replaced') : null;
  const status = outcome === 'replaced' ? 'done' : outcome === 'kept' ? 'kept' : 'queued';
  const width = Math.round((film.height * 16) / 9);
  const [file] = await q.query<{ id: number }>(
    `insert into media_files (library_id, path, title, detail, size_bytes, mtime_ms, codec, width, height, duration_ms, status, expected_bytes, container, original_bytes)
     values ($1, $2, $3, $4, $5, 0, $6, $7, $8, 5400000, $9, $10, 'matroska', $11) returning id`,
    [
      library,
      `${film.title} (${film.detail}).mkv`,
      film.title,
      film.detail,
      outcome === 'replaced' ? film.output : film.size,
      film.codec,
      width,
      film.height,
      status,
      film.expected,
      outcome === 'replaced' ? film.size : null,
    ],
  );
  const [job] = await q.query<{ id: number }>(
    `insert into jobs (file_id, library_id, rank, state, outcome, plan, profile, input_bytes, expected_bytes, output_bytes, started_at, finished_at, reason)
     values ($1, $2, $3, 'available', null, $4, $5, $6, $7, $8, null, null, null) returning id`,
    [
      file!.id,
      library,
      -Math.round(film.size - film.expected),
      JSON.stringify(plan),
      JSON.stringify(defaultProfile),
      film.size,
      film.expected,
      film.output ?? null,
    ],
  );
  const id = job!.id;
  if (film.state === 'available') return id;
  const ended = film.state === 'completed';
  const [attempt] = await q.query<{ id: number }>(
    `insert into attempts (job_id, term, node_id, number, state, encoder, ended_at) values ($1, 0, $2, 1, $3, 'hevc_nvenc', $4) returning id`,
    [id, node, ended ? 'succeeded' : (film.attempt ?? 'running'), ended ? new Date() : null],
  );
  if (ended) {
    await q.query(
      `update jobs set state = 'completed', outcome = $2, attempt_id = $3, started_at = now() - interval '40 minutes', finished_at = clock_timestamp(), reason = $4 where id = $1`,
      [id, outcome, attempt!.id, outcome === 'kept' ? JSON.stringify({ code: 'small-saving', params: { saved: 4, limit: 10 } }) : null],
    );
  } else {
    await q.query(
      `update jobs set state = 'running', node_id = $2, lease_until = now() + interval '1 hour', attempt_id = $3, started_at = clock_timestamp() where id = $1`,
      [id, node, attempt!.id],
    );
  }
  return id;
}

async function addWaiting(q: Queryable, library: number, n: number): Promise<void> {
  await q.query(
    `with f as (
       insert into media_files (library_id, path, title, detail, size_bytes, mtime_ms, codec, width, height, status, expected_bytes)
       select $1, 'Dragnet/S02/E' || i || '.mkv', 'Dragnet', 'S02 E' || lpad(i::text, 2, '0'), 1900000000 - i * 1000000, 0, 'mpeg2video', 720, 480, 'queued', 600000000
         from generate_series(1, $2::int) i returning id, size_bytes)
     insert into jobs (file_id, library_id, rank, state, plan, profile, input_bytes, expected_bytes)
     select id, $1, -(size_bytes - 600000000), 'available', $3, $4, size_bytes, 600000000 from f`,
    [library, n, JSON.stringify(plan), JSON.stringify(defaultProfile)],
  );
}

/** Thirty days of work that rise and fall like a real month. */
async function addDays(q: Queryable): Promise<void> {
  await q.query(
    `insert into stats_daily (day, node_id, replaced, bytes_in, bytes_out, media_ms, busy_ms)
     select (now() at time zone 'utc')::date - i, $1, 40 + (i * 7) % 23, (620 + 260 * sin(i * 0.9) + (i * 37) % 90)::bigint * 1000000000, (230 + 90 * sin(i * 0.9))::bigint * 1000000000, 0, 0
       from generate_series(0, 29) i`,
    [node],
  );
}
