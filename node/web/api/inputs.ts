import * as v from 'valibot';
import { reasonCodes } from '../../core/reasons.ts';
import { isCursor } from '../../db/page.ts';
import type { Param } from './declare.ts';

/** Parts of inputs that several routes share. Each says in words what it wants: the words go to whoever sent something else. */

/** `max`: the largest that its column holds; beyond it there is no such thing. */
export function numberOf(what: string, max = Number.MAX_SAFE_INTEGER): Param<number> {
  return {
    what,
    schema: v.pipe(
      v.string(),
      v.regex(/^[1-9]\d{0,14}$/, 'must be a whole number from 1 up'),
      v.transform(Number),
      v.maxValue(max),
      v.metadata({ example: 1 }),
    ),
  };
}
export const int4 = 2 ** 31 - 1;

export function nameOf(what: string): Param<string> {
  return { what, schema: v.pipe(v.string(), v.minLength(1), v.maxLength(200), v.check(isStorable)) };
}

/** What a database can hold: anything else is no name of anything in it. */
function isStorable(t: string): boolean {
  return !t.includes('\0') && t.isWellFormed();
}

export const flag = v.boolean('must be true or false');

export function text(max: number) {
  return v.pipe(
    v.string('must be a text'),
    v.minLength(1, 'must not be empty'),
    v.maxLength(max, `must have at most ${max} characters`),
    v.check(isStorable, 'holds a character that no name can have'),
  );
}

/** A text that may be empty. */
export function words(max: number) {
  return v.pipe(
    v.string('must be a text'),
    v.maxLength(max, `must have at most ${max} characters`),
    v.check(isStorable, 'holds a character that no name can have'),
  );
}

export function whole(min: number, max: number) {
  const says = `must be a whole number from ${min} to ${max}`;
  return v.pipe(v.number(says), v.integer(says), v.minValue(min, says), v.maxValue(max, says));
}

/** The id of a library root. */
export const rootId = v.pipe(
  v.string('must be a text'),
  v.regex(/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/, 'must be the id of a library root'),
);

/** For what cannot be taken back. `because` goes on after "must be true: ". */
export function confirmed(because: string) {
  return v.literal(true, `must be true: ${because}`);
}

export function oneOf<const T extends readonly string[]>(names: T) {
  const said = names.length > 1 ? `${names.slice(0, -1).join(', ')} or ${names.at(-1)}` : names[0];
  return v.picklist(names, names.length > 12 ? 'must be one of those in the document of this API' : `must be ${said}`);
}

/** A number in a query. */
export const id = v.pipe(v.string(), v.regex(/^[1-9]\d{0,14}$/, 'must be a whole number from 1 up'), v.transform(Number));

const notACursor = 'is not a cursor of this list';
const cursor = v.pipe(v.string(), v.minLength(1), v.maxLength(2000), v.regex(/^[\w-]+$/, notACursor), v.check(isCursor, notACursor));
const limit = v.optional(
  v.pipe(
    v.string(),
    v.regex(/^\d{1,3}$/, 'must be 1 to 200'),
    v.transform(Number),
    v.minValue(1, 'must be 1 to 200'),
    v.maxValue(200, 'must be 1 to 200'),
  ),
  '50',
);

/** Every list is read page by page: give `after` of an answer back to go on. */
export const paged = { after: v.optional(cursor), before: v.optional(cursor), limit };

/** What the lists of db/ want. */
export function wishOf(query: { after?: string | undefined; before?: string | undefined; limit: number }) {
  return { after: query.after ?? null, before: query.before ?? null, size: query.limit };
}

/** The same for what is counted in 31 bits: no library, person or place for notifications has a larger one. */
export const smallId = v.pipe(id, v.maxValue(int4, `must be a whole number from 1 to ${int4}`));
export const library = v.optional(smallId);
export const format = v.optional(v.pipe(v.string(), v.regex(/^[a-zA-Z0-9_.-]{1,64}$/, 'must be a codec name such as h264')));
export const reasonCode = v.optional(v.picklist(reasonCodes, 'must be the code of a reason'));
export const search = v.optional(words(200));
