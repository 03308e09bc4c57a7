import { messageOf } from '../errors.ts';

/** One thing that was looked at, and what came of it. */
export interface Finding {
  check: string;
  ok: boolean;
  /** it works, but a person may want to change it */
  heed: boolean;
  says: string;
}

/** A sentence when all is well, `heed` when a person may want to change it; it throws when it is bad. */
export type Look = (signal: AbortSignal) => Promise<Said>;
export type Said = string | { heed: string };

export interface Examination {
  findings: Finding[];
  /** Looks, and notes what was found; resolves with whether it is usable. A look that takes too long is given up. */
  check(name: string, look: Look, seconds?: number): Promise<boolean>;
}

const SECONDS = 10;

export function createExamination(): Examination {
  const findings: Finding[] = [];
  return {
    findings,
    async check(name, look, seconds = SECONDS) {
      const finding: Finding = { check: name, ok: true, heed: false, says: '' };
      // noted at once, so that what is looked at side by side is told in the order in which it was asked
      findings.push(finding);
      try {
        const said = await within(seconds, look);
        finding.heed = typeof said !== 'string';
        finding.says = typeof said === 'string' ? said : said.heed;
      } catch (error) {
        finding.ok = false;
        finding.says = messageOf(error);
      }
      return finding.ok;
    },
  };
}

/** A disk or a driver that hangs cannot be stopped, only be left alone. */
async function within(seconds: number, look: Look): Promise<Said> {
  const late = Promise.withResolvers<never>();
  const giveUp = new AbortController();
  const timer = setTimeout(() => {
    late.reject(new Error(`This took longer than ${seconds} seconds and was given up. Something that it needs does not answer.`));
    giveUp.abort();
  }, seconds * 1000);
  try {
    return await Promise.race([look(giveUp.signal), late.promise]);
  } finally {
    clearTimeout(timer);
  }
}
