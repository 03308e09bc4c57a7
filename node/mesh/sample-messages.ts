import * as v from 'valibot';
import { PIECE_MS, PIECES_PER_FILM } from '../core/film-sample.ts';
import { benched, bytes, data, fingerprint, id, nodeId, reason, relativePath, signed, text, uuid } from './message-fields.ts';

/**
 * `sample`: short pieces of one film are encoded beside the queue, for a forecast. The coordinator asks again and again how
 * far it is, because nothing of it is reported: a node that does not remember says `unknown`.
 */

export const sample = {
  request: v.variant('op', [
    v.object({
      op: v.literal('begin'),
      term: id,
      /** like an attempt's, and never one of those */
      sample: id,
      keeper: nodeId,
      /** lets this node read the film from the keeper; null when they are one node */
      ticket: v.nullable(signed),
      root: uuid,
      path: relativePath,
      fingerprint,
      probe: data,
      plan: data,
      profile: data,
      places: v.pipe(v.array(id), v.minLength(1), v.maxLength(8)),
      count: v.pipe(id, v.minValue(1), v.maxValue(PIECES_PER_FILM)),
      lengthMs: v.pipe(id, v.minValue(100), v.maxValue(2 * PIECE_MS)),
      benched: v.optional(benched),
    }),
    v.object({ op: v.literal('ask'), term: id, sample: id }),
    v.object({ op: v.literal('cancel'), term: id, sample: id }),
  ]),
  response: v.variant('state', [
    /** no slot is free, or nothing may begin there now */
    v.object({ state: v.literal('busy') }),
    v.object({ state: v.literal('running'), phase: v.fallback(v.picklist(['fetching', 'measuring']), 'measuring'), percent: v.number() }),
    v.object({
      state: v.literal('done'),
      encoder: text(40),
      device: v.nullable(text(200)),
      quality: v.pipe(v.number(), v.minValue(0), v.maxValue(63)),
      pieces: v.pipe(id, v.minValue(1), v.maxValue(PIECES_PER_FILM)),
      sourceBytes: v.pipe(bytes, v.minValue(1)),
      outputBytes: v.pipe(bytes, v.minValue(1)),
      filmMs: v.pipe(v.number(), v.minValue(1), v.maxValue(60_000)),
      pixelsPerSecond: v.pipe(v.number(), v.minValue(1), v.maxValue(1e12)),
    }),
    v.object({ state: v.literal('failed'), reason }),
    /** never heard of, or over for long */
    v.object({ state: v.literal('unknown') }),
  ]),
} as const;
