import type { Queryable } from '../db/connect.ts';
import type { Sample } from './sample.ts';

/** Beside the one node of `fillSample`: a house of machines in every state, some that ask, tokens, a cluster. */
export interface NodeSample {
  cluster: string;
  /** asks with a code */
  basement: string;
  rejected: string;
  tower: string;
  nuc: string;
  mac: string;
  token: string;
  /** of Films */
  filmsRoot: string;
}

const now = (): string => new Date().toISOString();

export async function fillNodeSample(q: Queryable, sample: Sample): Promise<NodeSample> {
  const token = 'b6f2cf0e-8a53-4a52-9d3e-6f7d2f0f3a11';
  const cluster = 'k7m2p5q3x4w6n7a2b3c4d5e6f7';
  await q.query(`insert into cluster (id, name, public_key, private_key, established_at) values ($1, 'House', 'p', 's', now())`, [cluster]);
  const [films] = await q.query<{ root: string }>(`select root_id as root from libraries where id = $1`, [sample.libraries.films]);
  const root = films!.root;
  await q.query(
    `update nodes set address = '192.168.1.10', temp_bytes = 412e9, clock_ms = 0, utc_offset = 0, hardware = '{"gpu":"RTX 4070","cpu":"i5-13500"}' where id = $1`,
    [sample.nodeId],
  );
  await q.query(`update node_roots set proved_at = now() - interval '3 hours' where node_id = $1`, [sample.nodeId]);
  await member(q, 'node-tower', 'tower', {
    encoders: [encoder('libx265', true)],
    hardware: { cpu: 'Ryzen 9 5950X' },
    version: '0.0.9',
    clock: 47_000,
    slots: 2,
  });
  await member(q, 'node-nuc', 'nuc', {
    encoders: [encoder('hevc_qsv', true, 'Intel Arc A310'), encoder('libx265', true), encoder('hevc_nvenc', false)],
    hardware: { gpu: 'Arc A310', cpu: 'i3-1220P' },
    slots: 1,
  });
  await member(q, 'node-mac', 'macmini', {
    encoders: [encoder('hevc_videotoolbox', true)],
    hardware: { cpu: 'Apple M2' },
    slots: 1,
    platform: 'macOS arm64',
  });
  await q.query(`update nodes set last_seen_at = now() - interval '20 minutes' where id = 'node-mac'`);
  await q.query(`update nodes set paused = true, slots_wished = 3, mbps = 400 where id = 'node-tower'`);
  // an hour of the week that is never now: it begins in half a week
  await q.query(`update nodes set schedule = $1 where id = 'node-nuc'`, [
    JSON.stringify([{ days: [(new Date().getUTCDay() + 3) % 7], from: '22:00', to: '23:00' }]),
  ]);
  await q.query(
    `insert into node_roots (node_id, root_id, path, writable, problem, proved_at) values
       ('node-tower', $1, '/mnt/atlas/films', true, null, null), ('node-nuc', $1, 'D:\\media\\films', false, null, now())`,
    [root],
  );
  await q.query(
    `insert into node_speeds (node_id, encoder, pixels_per_second, runs) values ($1, 'hevc_nvenc', 647e6, 212), ($1, 'libx265', 79e6, 31), ('node-nuc', 'hevc_qsv', 430e6, 88)`,
    [sample.nodeId],
  );
  await q.query(
    `insert into candidates (node_id, session, reaches) values ($1, gen_random_uuid(), 3), ('node-nuc', gen_random_uuid(), 3)`,
    [sample.nodeId],
  );
  await asks(q, 'node-basement', 'basement', '4F29KQ', 'pending');
  await asks(q, 'node-attic', 'attic', null, 'rejected');
  await q.query(
    `insert into join_tokens (id, label, secret_hash, uses_left, expires_at, created_by) values ($1, 'Render farm', 'h', 3, now() + interval '20 hours', 'dashboard')`,
    [token],
  );
  return {
    cluster,
    basement: 'node-basement',
    rejected: 'node-attic',
    tower: 'node-tower',
    nuc: 'node-nuc',
    mac: 'node-mac',
    token,
    filmsRoot: root,
  };
}

async function member(
  q: Queryable,
  id: string,
  name: string,
  more: { encoders: object[]; hardware: object; slots: number; version?: string; clock?: number; platform?: string },
): Promise<void> {
  await q.query(
    `insert into nodes (id, name, version, platform, standing, encoders, hardware, slots, classes, metrics, address, temp_bytes, clock_ms, utc_offset)
     values ($1, $2, $3, $4, 'approved', $5, $6, $7, '{0}', '{"cpuPercent":22}', '192.168.1.11', 88e9, $8, 0)`,
    [
      id,
      name,
      more.version ?? '0.1.0',
      more.platform ?? 'Linux x64',
      JSON.stringify(more.encoders),
      JSON.stringify(more.hardware),
      more.slots,
      more.clock ?? 12,
    ],
  );
}

async function asks(q: Queryable, id: string, name: string, code: string | null, standing: string): Promise<void> {
  await q.query(
    `insert into nodes (id, name, version, platform, standing, hardware, slots, address, code, asked_at, decided_by)
     values ($1, $2, '0.1.0', 'Linux x64', $3, '{"cpu":"Ryzen 5 3600"}', 0, '192.168.1.42', $4, now() - interval '2 minutes', $5)`,
    [id, name, standing, code, standing === 'rejected' ? 'dashboard' : null],
  );
}

function encoder(name: string, works: boolean, device: string | null = null): object {
  const reason = works ? null : 'No NVIDIA device was found.';
  return { name, device, works, tenBit: works, hardware: name !== 'libx265', reason, testedAt: now() };
}
