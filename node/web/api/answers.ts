import * as v from 'valibot';
import { sentence, type Reason } from '../../core/reasons.ts';

/** Parts of answers that several routes share. They are strict, so that a test sees a field that nobody declared. */

/** ISO 8601 in UTC. */
export const time = v.pipe(v.string(), v.isoTimestamp());
export const maybeTime = v.nullable(time);
export const maybe = { text: v.nullable(v.string()), number: v.nullable(v.number()) };
export const bytes = v.pipe(v.number(), v.integer());

/** Why something is as it is: the code to be compared, the sentence to be read. */
export const reason = v.strictObject({
  code: v.string(),
  params: v.record(v.string(), v.union([v.string(), v.number()])),
  sentence: v.string(),
});
export const maybeReason = v.nullable(reason);

/** An object whose inside is not promised. Typed as any object, because rows are interfaces and have no index signature. */
export function open(says: string): v.GenericSchema<object> {
  return v.pipe(v.looseObject({}), v.description(says)) as unknown as v.GenericSchema<object>;
}

/** One page of a list. */
export function pageOf<S extends v.GenericSchema<unknown, unknown>>(item: S) {
  return v.strictObject({
    items: v.array(item),
    before: v.pipe(v.nullable(v.string()), v.description('the cursor of the page before this one')),
    after: v.pipe(v.nullable(v.string()), v.description('the cursor of the next page; null: this was the last')),
  });
}

/** A whole list. */
export function listOf<S extends v.GenericSchema<unknown, unknown>>(item: S) {
  return v.strictObject({ items: v.array(item) });
}

/** What was changed, by its number. */
export const done = v.strictObject({ id: v.number() });

type ReasonJson = v.InferOutput<typeof reason>;

export function reasonJson(given: Reason): ReasonJson;
export function reasonJson(given: Reason | null): ReasonJson | null;
export function reasonJson(given: Reason | null): ReasonJson | null {
  return given && { code: given.code, params: given.params ?? {}, sentence: sentence(given) };
}
