import type { Actor, Commands, JobSelection } from '../core/commands.ts';
import { sentence } from '../core/reasons.ts';
import { addActivity, type NewActivity } from '../db/activity.ts';
import { readAttempt } from '../db/attempts.ts';
import { cancelAttempt } from '../db/run-ends.ts';
import { jobsOfFile, readJobRow } from '../db/job-lists.ts';
import { clearAvailable, pinJobs, prioritiseJobs, removeJobs, requestCancel, setPaused, unholdJob } from '../db/jobs.ts';
import { listLibraries, readLibrary } from '../db/libraries.ts';
import { bringBackCleared, excludeFile, includeFile, setStatus } from '../db/file-standing.ts';
import { readFile } from '../db/media-files.ts';
import { readNode } from '../db/nodes.ts';
import { keepersOf } from '../db/roots.ts';
import { messageOf, PlainError } from '../errors.ts';
import type { CoordinatorParts } from './coordinator.ts';
import type { Term } from './term.ts';
import { inspectFile } from './inspection.ts';
import { noticeCommands } from './notice-commands.ts';
import { nodeCommands } from './node-commands.ts';
import { libraryCommands } from './library-commands.ts';
import { settingCommands } from './setting-commands.ts';
import { sourceCommands } from './source-commands.ts';

/**
 * What a person may ask for, carried out by the coordinator of this term. Each command writes first, then tells the
 * nodes; what a lost message leaves undone is made good by leases and hello.
 */
export function createCommands(parts: CoordinatorParts, term: Term): Commands {
  const { events, mesh, log } = parts;
  const { db } = term;

  return {
    ...settingCommands(parts, term),
    ...libraryCommands(parts, term),
    ...sourceCommands(parts, term),
    ...noticeCommands({ db, events, outside: term.outside }),

    async scan(libraryId) {
      const wanted = libraryId === null ? (await listLibraries(db)).filter((l) => l.enabled || l.looking).map((l) => l.id) : [libraryId];
      if (wanted.length === 0) throw new PlainError('There is no library to scan yet. Add a folder first.');
      let started = 0;
      for (const id of wanted) {
        await bringBackCleared(db, id);
        if (await term.scanner.scan(id)) started++;
      }
      return started;
    },

    async cancelScan(libraryId) {
      term.scanner.cancel(libraryId);
    },

    async cancelJob(jobId, by) {
      const reason = { code: 'cancelled-by-person', params: { by: by.name } } as const;
      const result = await requestCancel(db, jobId, reason);
      if (!result) throw new PlainError('This job is over already.');
      if (result.state === 'running' && !result.cancelRequested && !(await isKeeperGone(result.attemptId)))
        throw new PlainError('Its original is being replaced at this moment; that takes only a second and cannot be cut short.');
      if (result.attemptId !== null) await stopRun(jobId, result.attemptId, reason);
      await note({ kind: 'job-cancelled', jobId, fileId: result.fileId, libraryId: result.libraryId }, by);
      events.emit('job.changed', { jobId, fileId: result.fileId, libraryId: result.libraryId });
    },

    async retryJob(jobId, by) {
      const job = await readJobRow(db, jobId);
      if (!job) throw new PlainError(`There is no job ${jobId}.`);
      if (job.state === 'available' || job.state === 'running') return jobId;
      if (job.state === 'completed' && job.outcome === 'replaced')
        throw new PlainError('This file is converted already. Put its original back first.');
      const again = job.state === 'held' && (await unholdJob(db, jobId)) ? jobId : await queueAnew(job.fileId, by);
      await note({ kind: 'job-retried', jobId: again, fileId: job.fileId, libraryId: job.libraryId }, by);
      events.emit('job.changed', { jobId: again, fileId: job.fileId, libraryId: job.libraryId });
      term.offer();
      return again;
    },

    pauseJob: (jobId, by) => hold(jobId, true, by),
    resumeJob: (jobId, by) => hold(jobId, false, by),

    moveJobs: (which, where, by) => change(by, `moved-${where}`, which, () => pinJobs(db, which, where)),
    prioritise: (which, priority, by) => change(by, `priority-${priority}`, which, () => prioritiseJobs(db, which, priority)),
    removeJobs: (which, excluded, by) => change(by, 'removed', which, () => removeJobs(db, which, removal(by, excluded))),
    clearQueue: (by) =>
      change(by, 'queue-cleared', null, () =>
        clearAvailable(db, { reason: { code: 'cleared', params: { by: by.name } }, excludedBy: null, fileStatus: 'skipped' }),
      ),

    async retryFile(fileId, by) {
      const file = await readFile(db, fileId);
      if (!file) throw new PlainError('This file is not known any more.');
      const live = (await jobsOfFile(db, fileId)).find((job) => job.state === 'available' || job.state === 'running');
      if (live) return live.id;
      if (file.status === 'done') throw new PlainError('This file is converted already. Put its original back first.');
      try {
        const jobId = await queueAnew(fileId, by);
        await note({ kind: 'job-retried', jobId, fileId }, by);
        term.offer();
        return jobId;
      } finally {
        // also when it stays as it is: what was found now may be another reason
        events.emit('job.changed', { jobId: 0, fileId, libraryId: file.libraryId });
      }
    },

    async excludeFile(fileId, by) {
      const running = (await jobsOfFile(db, fileId)).find((job) => job.state === 'running');
      if (running) throw new PlainError('This file is being worked on. Cancel that first.');
      if ((await readFile(db, fileId))?.status === 'done')
        throw new PlainError(
          'This file is converted already; nothing more is done to it. Its original can be put back while it is in the trash.',
        );
      if (!(await excludeFile(db, fileId, by.name, { code: 'excluded-by-person', params: { by: by.name } })))
        throw new PlainError('This file is not known any more.');
      await note({ kind: 'file-excluded', fileId }, by);
      events.emit('queue.changed', { why: 'a file was excluded' });
    },

    async includeFile(fileId, by) {
      await includeFile(db, fileId);
      await note({ kind: 'file-included', fileId }, by);
      await queueAnew(fileId, by).catch((error: unknown) =>
        log.info({ file: fileId, why: messageOf(error) }, 'an included file was not queued'),
      );
      events.emit('queue.changed', { why: 'a file was included' });
    },

    readPicture: (wish) => term.pictures.read(wish),
    restore: (originalId, by) => term.trash.restore(originalId, by),
    acceptCopy: (originalId, by) => term.rechecker.accept(originalId, by),
    liftBench: (benchId, by) => term.benches.lift(benchId, by),

    lookForLeftovers: (rootId, by) => term.cleaner.look(rootId, by),
    chooseLeftovers: (cleanupId, which) => term.cleaner.choose(cleanupId, which),
    deleteLeftovers: (cleanupId, asked, by) => term.cleaner.remove(cleanupId, asked, by),
    cancelCleanup: (cleanupId, by) => term.cleaner.cancel(cleanupId, by),
    emptyTrash: (rootId, upTo, by) => term.trashCare.empty(rootId, upTo, by),

    ...nodeCommands(parts, term),

    async detectEncoders(nodeId) {
      await mesh.request(nodeId, 'control', { term: term.number, attempt: 0, want: 'detect' });
    },
  };

  /** Nobody will ever report the end of a swap whose machine was removed, so a person may give it up. */
  async function isKeeperGone(attemptId: number | null): Promise<boolean> {
    const attempt = attemptId === null ? null : await readAttempt(db, attemptId);
    return attempt?.keeperId != null && (await readNode(db, attempt.keeperId))?.standing === 'revoked';
  }

  /** The worker stops its encode; a check by the keeper is given up. */
  async function stopRun(jobId: number, attemptId: number, reason: { code: 'cancelled-by-person'; params: { by: string } }): Promise<void> {
    const attempt = await readAttempt(db, attemptId);
    if (!attempt) return;
    const quiet = (error: unknown): void => log.debug({ why: messageOf(error) }, 'a node could not be told to cancel');
    if (attempt.state === 'running') {
      await mesh.request(attempt.nodeId, 'control', { term: term.number, attempt: attemptId, want: 'cancel' }).catch(quiet);
      return;
    }
    if (await cancelAttempt(db, { jobId, attemptId }, reason)) await term.finisher.over(attempt);
  }

  async function hold(jobId: number, paused: boolean, by: Actor): Promise<void> {
    const run = await setPaused(db, jobId, paused);
    if (!run) throw new PlainError('Only a running file can be paused.');
    await mesh
      .request(run.nodeId, 'control', { term: term.number, attempt: run.attemptId, want: paused ? 'pause' : 'resume' })
      .catch((error: unknown) => log.debug({ why: messageOf(error) }, 'a node could not be told'));
    await note({ kind: paused ? 'job-paused' : 'job-resumed', jobId }, by);
    events.emit('job.changed', { jobId, fileId: null, libraryId: null });
  }

  /** A person asks for this file: it is looked at again and queued, or the sentence says why not. */
  async function queueAnew(fileId: number, by: Actor): Promise<number> {
    const before = await readFile(db, fileId);
    if (!before) throw new PlainError('This file is not known any more.');
    if (before.status === 'missing') throw new PlainError(`${before.title} is not on the disk any more.`);
    const library = await readLibrary(db, before.libraryId);
    const keeper = library && (await keepersOf(db, library.rootId))[0];
    if (!library || !keeper) throw new PlainError('The folder of this file is not mounted on any machine now.');
    if (before.excludedBy) await includeFile(db, fileId);
    await setStatus(db, [fileId], 'new', null);
    try {
      await inspectFile({ mesh, db, settings: parts.settings.current }, library, keeper.nodeId, fileId, AbortSignal.timeout(120_000));
    } catch (error) {
      // it could not be looked at, so what was known of it stays true, unless a scan has looked meanwhile
      await setStatus(db, [fileId], before.status, before.reason, 'new');
      throw error;
    }
    const job = (await jobsOfFile(db, fileId)).find((j) => j.state === 'available' || j.state === 'running');
    if (job) return job.id;
    const after = await readFile(db, fileId);
    throw new PlainError(
      `${before.title} stays as it is: ${after?.reason ? sentence(after.reason) : `${by.name} asked, but there is nothing to do.`}`,
    );
  }

  async function change(by: Actor, kind: string, which: JobSelection | null, work: () => Promise<number>): Promise<number> {
    const changed = await work();
    if (changed > 0) {
      await note({ kind, params: { count: changed, ...(which && 'filter' in which ? { filter: JSON.stringify(which.filter) } : {}) } }, by);
      events.emit('queue.changed', { why: kind });
    }
    return changed;
  }

  function removal(
    by: Actor,
    excluded: boolean,
  ): {
    reason: { code: 'excluded-by-person' | 'cancelled-by-person'; params: { by: string } };
    excludedBy: string | null;
    fileStatus: 'skipped';
  } {
    return {
      reason: { code: excluded ? 'excluded-by-person' : 'cancelled-by-person', params: { by: by.name } },
      excludedBy: excluded ? by.name : null,
      fileStatus: 'skipped',
    };
  }

  async function note(event: NewActivity, by: Actor): Promise<void> {
    await addActivity(db, { ...event, by: by.name });
    events.emit('activity.added', { kind: event.kind, severity: event.severity ?? 0 });
  }
}
