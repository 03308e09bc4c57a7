import { sentence, type Reason } from '../../core/reasons.ts';
import { plural } from '../format.ts';
import { url } from '../routes.ts';
import type { SourceState } from './sources.ts';

/** One thing that needs a person. It is made from how things are now, so that it goes away with its cause. */
export interface LookItem {
  tone: 'warn' | 'bad';
  title: string;
  text: string;
  href: string;
}

export interface LookFacts {
  libraries: readonly { id: number; name: string; problem: Reason | null; enabled: boolean }[];
  held: readonly { id: number; title: string; reason: Reason | null }[];
  heldCount: number;
  failedCount: number;
  nodes: readonly NodeLook[];
  /** new files that were found bad when they were looked at again */
  badCopies: readonly { jobId: number; title: string; note: Reason | null }[];
  benched: readonly { reason: Reason }[];
  sources: readonly { id: number; name: string; state: SourceState; unconfirmed: number }[];
  roots: readonly { nodeName: string; path: string; problem: string | null; writable: boolean }[];
}

export interface NodeLook {
  name: string;
  away: boolean;
  draining: boolean;
  working: number;
  tested: number;
  /** why its ffmpeg opens no film, a sentence; '' when it does */
  refused: string;
}

/** The worst first: what stops everything, then what stops one library, then single files. */
export function lookItems(facts: LookFacts): LookItem[] {
  const items: LookItem[] = [];
  for (const copy of facts.badCopies.slice(0, 3))
    items.push({
      tone: 'bad',
      title: `The new file of ${copy.title} is bad`,
      text: `${copy.note ? `${sentence(copy.note)} ` : ''}Its original is in the trash and can be put back.`,
      href: url.job(copy.jobId),
    });
  if (facts.badCopies.length > 3)
    items.push({
      tone: 'bad',
      title: `${plural(facts.badCopies.length - 3, 'more new file')} found bad`,
      text: 'Their originals stay in the trash until you decide; the history names them.',
      href: url.history(),
    });
  for (const { reason } of facts.benched)
    items.push({ tone: 'warn', title: 'An encoder is benched', text: sentence(reason), href: url.nodes() });
  for (const node of facts.nodes) {
    if (node.away)
      items.push({
        tone: 'warn',
        title: `${node.name} does not answer`,
        text: 'Its jobs go back to the queue by themselves.',
        href: url.nodes(),
      });
    else if (node.refused !== '') items.push({ tone: 'bad', title: `${node.name} opens no film`, text: node.refused, href: url.nodes() });
    else if (node.tested > 0 && node.working === 0)
      items.push({
        tone: 'bad',
        title: `${node.name} has no working encoder`,
        text: 'Every test encode failed there; the reasons are on the Nodes page.',
        href: url.nodes(),
      });
  }
  items.push(...facts.sources.flatMap(sourceItems));
  for (const library of facts.libraries) {
    if (library.problem && library.enabled)
      items.push({ tone: 'warn', title: library.name, text: sentence(library.problem), href: url.library(library.id) });
  }
  for (const root of facts.roots) {
    if (root.problem !== null && root.problem !== '')
      items.push({
        tone: 'warn',
        title: `${root.path} on ${root.nodeName}`,
        text: rootSentence(root.problem, root.path),
        href: url.nodes(),
      });
    else if (!root.writable)
      items.push({
        tone: 'warn',
        title: `${root.path} is read-only on ${root.nodeName}`,
        text: 'Files there can be encoded, but not replaced.',
        href: url.nodes(),
      });
  }
  const shown = facts.held.slice(0, 3);
  for (const job of shown) {
    items.push({
      tone: 'warn',
      title: job.title,
      text: job.reason ? sentence(job.reason) : 'It waits for your decision.',
      href: url.job(job.id),
    });
  }
  const more = facts.heldCount - shown.length;
  if (more > 0)
    items.push({
      tone: 'warn',
      title: `${plural(more, 'more file')} ${more === 1 ? 'waits' : 'wait'} for a decision`,
      text: 'Nothing happens to them until then.',
      href: url.queue({ state: 'held' }),
    });
  if (facts.failedCount > 0)
    items.push({
      tone: 'bad',
      title: `${plural(facts.failedCount, 'job')} failed`,
      text: 'The originals are untouched. Each says why.',
      href: url.queue({ state: 'failed' }),
    });
  return items;
}

function rootSentence(code: string, path: string): string {
  return sentence({ code, params: { path } });
}

/** A server that needs a person, or that does not show what it was told; one that is away comes back by itself, and is said all the same. */
function sourceItems({ id, name, state, unconfirmed }: LookFacts['sources'][number]): LookItem[] {
  if (state.tone === 'bad' || state.tone === 'warn')
    return [{ tone: state.tone, title: `${name}: ${state.word.toLowerCase()}`, text: state.why, href: url.source(id) }];
  if (unconfirmed === 0) return [];
  const text =
    unconfirmed === 1
      ? 'It was told of a new file and still shows the old one.'
      : `It was told of ${unconfirmed} new files and still shows the old ones.`;
  return [{ tone: 'warn', title: `${name} does not show everything`, text, href: `${url.source(id)}#messages` }];
}
