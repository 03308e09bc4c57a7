import type { Profile } from './profile.ts';

/**
 * convert: why there is work · done: it is how we want it · skip: left alone on purpose · keep: an output was made and
 * the original stays · hold: needs a person · wait: goes on by itself · fail: something broke · note: to be known about one stream
 */
export type ReasonKind = 'convert' | 'done' | 'skip' | 'keep' | 'hold' | 'wait' | 'fail' | 'note';

/** What is known of one reason; the tables write each with the function of its kind. */
export interface ReasonEntry {
  kind: ReasonKind;
  /** two or three words for badges and filters */
  label: string;
  /** `{param}` or `{param|format}`; a part in [brackets] appears only when all of its params are there */
  sentence: string;
  /** trying the same again may help without anybody changing anything */
  retry: boolean;
  /** the profile field whose change would decide otherwise, so that the page can link it */
  profile: keyof Profile | null;
  /** the same for a setting of the whole cluster, as a group of the settings page */
  setting: string | null;
}

interface More {
  retry?: boolean;
  profile?: keyof Profile;
  setting?: string;
}

// one for each kind, so that a row of a table begins with it
type Made = (label: string, sentence: string, more?: More) => ReasonEntry;

export function convert(...a: Parameters<Made>): ReasonEntry {
  return entry('convert', ...a);
}
export function done(...a: Parameters<Made>): ReasonEntry {
  return entry('done', ...a);
}
export function skip(...a: Parameters<Made>): ReasonEntry {
  return entry('skip', ...a);
}
export function keep(...a: Parameters<Made>): ReasonEntry {
  return entry('keep', ...a);
}
export function hold(...a: Parameters<Made>): ReasonEntry {
  return entry('hold', ...a);
}
export function wait(label: string, sentence: string, more: More = {}): ReasonEntry {
  return entry('wait', label, sentence, { retry: true, ...more });
}
export function fail(...a: Parameters<Made>): ReasonEntry {
  return entry('fail', ...a);
}
export function note(...a: Parameters<Made>): ReasonEntry {
  return entry('note', ...a);
}

function entry(kind: ReasonKind, label: string, sentence: string, more: More = {}): ReasonEntry {
  return {
    kind,
    label,
    sentence,
    retry: more.retry ?? false,
    profile: more.profile ?? null,
    setting: more.setting ?? null,
  };
}
