import { chooseEncoder, type EncoderChoice, type EncoderRef, type EncoderReport } from '../core/encoder-choice.ts';
import { encodeClasses, jobClasses, needsOf, type EncodeNeeds } from '../core/job.ts';
import { filmStreams, hasHdr10Values, type Probe } from '../core/media.ts';
import { plannedCodec, type WorkPlan } from '../core/plan.ts';
import type { Profile } from '../core/profile.ts';
import { PlainError } from '../errors.ts';
import type { GrantedJob } from '../mesh/messages.ts';

/**
 * Which encodes of this node use which device. A device gets no more at once than it has shown to take; the next film gets
 * another device, then the next encoder that its profile allows, and waits where the profile allows none.
 */
export interface Devices {
  /**
   * Before a film travels here for nothing.
   * @throws PlainError when no encoder of this node may ever be used for it
   */
  check(grant: GrantedJob): void;
  /**
   * An encoder for this film, its own until it is released; waits while every device that may encode it is taken. Null for
   * a plan that encodes nothing.
   * @throws PlainError as `check`; the signal's reason after an abort
   */
  take(grant: GrantedJob, signal: AbortSignal): Promise<Taken | null>;
  inUse(): EncoderRef[];
  /** classes of jobs that they can do */
  classes(): number[];
}

export interface Taken {
  encoder: EncoderChoice;
  /** ffmpeg and driver; null where they were not told */
  build: string | null;
  release(): void;
}

export function createDevices(encoders: () => EncoderReport[]): Devices {
  const taken = new Set<EncoderChoice>();
  let change = Promise.withResolvers<void>();

  return {
    check(grant) {
      if (encodes(grant)) pick(grant, encoders(), []);
    },
    async take(grant, signal) {
      if (!encodes(grant)) return null;
      for (;;) {
        signal.throwIfAborted();
        const encoder = pick(grant, encoders(), [...taken]);
        if (encoder) return hold(encoder);
        await unlessAborted(change.promise, signal);
      }
    },
    inUse: () => [...taken],
    classes,
  };

  function classes(): number[] {
    const able = ({ codec, bitDepth, hdr10 }: EncodeNeeds): boolean =>
      chooseEncoder(encoders(), { encoder: 'auto', codec }, bitDepth, { hdr10 }).choice !== null;
    return [jobClasses.remux, ...encodeClasses.filter((one) => able(needsOf(one)!))];
  }

  function hold(encoder: EncoderChoice): Taken {
    taken.add(encoder);
    const report = encoders().find((r) => r.name === encoder.name && r.device === encoder.device);
    return {
      encoder,
      build: report?.build ?? null,
      release() {
        if (!taken.delete(encoder)) return;
        change.resolve();
        change = Promise.withResolvers();
      },
    };
  }
}

function encodes(grant: GrantedJob): boolean {
  const plan = grant.plan as unknown as WorkPlan;
  return plan.action === 'transcode' && plan.video !== null;
}

/** Null while every device that may be used is taken. */
function pick(grant: GrantedJob, reports: EncoderReport[], busy: EncoderRef[]): EncoderChoice | null {
  const plan = grant.plan as unknown as WorkPlan;
  const profile = grant.profile as unknown as Profile;
  const picked = chooseEncoder(reports, { encoder: profile.encoder, codec: plannedCodec(plan) }, plan.video?.bitDepth ?? 8, {
    // plans of the version before do not say it
    hdr10: plan.video?.hdr10 ?? filmStreams(grant.probe as unknown as Probe).some(hasHdr10Values),
    leaveOut: (grant.benched ?? []).map(({ encoder, device }) => ({ name: encoder, device: device || null })),
    failed: grant.failed,
    busy,
  });
  if (picked.choice) return picked.choice;
  if (picked.reason.code === 'device-busy' && busy.length > 0) return null;
  throw new PlainError('No encoder of this machine may be used for this file.', { reason: picked.reason, retry: true });
}

function unlessAborted(event: Promise<void>, signal: AbortSignal): Promise<void> {
  const aborted = Promise.withResolvers<void>();
  const onAbort = (): void => aborted.reject(signal.reason as Error);
  signal.addEventListener('abort', onAbort, { once: true });
  return Promise.race([event, aborted.promise]).finally(() => signal.removeEventListener('abort', onAbort));
}
