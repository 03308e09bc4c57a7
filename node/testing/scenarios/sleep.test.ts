import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as pass } from 'node:timers/promises';
import { decodesCleanly } from '../compare.ts';
import { temporaryDirectory } from '../database.ts';
import { encoderOf } from '../encoder-of.ts';
import { makeLibrary } from '../media.ts';
import { startProgram, until, type Status } from '../program.ts';

/** A lease is judged by the clock of the database, so here time itself has to pass: a little more than the shortest one. */
const LEASE = 10;
const LONGER_MS = 12_000;

interface Job {
  state: string;
  failures: number;
  attempts: { number: number; state: string }[];
}

test('neither a frozen ffmpeg nor a machine that slept loses an encode whose lease outlived it, and nothing is done twice', async (t) => {
  const [folder, dataDir] = [temporaryDirectory(t), temporaryDirectory(t)];
  const [film] = await makeLibrary(folder, ['film']);
  // slow: the encode must not end before it is found and frozen
  const env = { CODECSHIFT_LEASE: String(LEASE), CODECSHIFT_SPEED: 'slow' };
  const program = await startProgram({ dataDir, libraries: [folder], env });
  t.after(() => program.kill());
  const encoder = await until('a running encode', () => encoderOf(program.pid, dataDir));
  // ffmpeg alone: the program goes on saying that the encode lives
  process.kill(-encoder, 'SIGSTOP');
  t.after(() => quietly(() => process.kill(-encoder, 'SIGKILL')));
  const { items } = await program.api<{ items: { id: number }[] }>('/jobs?state=running');
  const job = (): Promise<Job> => program.api<Job>(`/jobs/${items[0]!.id}`);
  await pass(LONGER_MS);
  assert.deepEqual(summary(await job()), ['running', 0, '1 running'], 'the lease was kept by the program');

  // the whole machine: nobody said anything, and nobody could hear it
  process.kill(program.pid, 'SIGSTOP');
  await pass(LONGER_MS);
  process.kill(program.pid, 'SIGCONT');
  assert.deepEqual(summary(await job()), ['running', 0, '1 running'], 'what was silent because everything was silent is not lost');
  assert.equal(encoderOf(program.pid, dataDir), encoder, 'the same encode is there still');
  process.kill(-encoder, 'SIGCONT');

  const { jobs, replaced } = await until('the finished film', async () => {
    const status = await program.api<Status>('/status');
    return status.jobs.running === 0 && status;
  });
  assert.deepEqual([jobs.waiting, jobs.finished, jobs.failed, replaced], [0, 1, 0, 1]);
  assert.deepEqual(summary(await job()), ['completed', 0, '1 succeeded']);
  assert.ok(await decodesCleanly(film!.path));
  assert.deepEqual((await program.stop()).code, 0);
});

function summary(job: Job): [string, number, string] {
  return [job.state, job.failures, job.attempts.map((attempt) => `${attempt.number} ${attempt.state}`).join(', ')];
}

function quietly(work: () => void): void {
  try {
    work();
  } catch {
    // it has ended
  }
}
