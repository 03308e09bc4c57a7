import type { Actor, Commands, PathProof, PathProposal, PathRule } from '../core/commands.ts';
import { placeOf, proposeRules } from '../core/source-paths.ts';
import { isProved, unprovedWords } from '../core/source-proof.ts';
import { addActivity } from '../db/activity.ts';
import { listNodeRoots, listRoots } from '../db/roots.ts';
import { listNodes } from '../db/nodes.ts';
import { filesOfSizes, mapItems, pageOfItems, sampleItems, type ItemPath } from '../db/source-items.ts';
import { forgetMark, listSourceLibraries } from '../db/source-libraries.ts';
import { listSourcePaths, replaceSourcePaths } from '../db/source-paths.ts';
import { readSource, type Source as SourceRow } from '../db/sources.ts';
import { messageOf, PlainError } from '../errors.ts';
import type { CoordinatorParts } from './coordinator.ts';
import type { Term } from './term.ts';
import type { Outside } from './outside.ts';

type Mapping = Pick<Commands, 'proposePaths' | 'provePaths' | 'savePaths'>;

/** Files looked for in each folder. */
const SAMPLES = 20;
const GUESS_FROM = 100;
const MOST_RULES = 50;

/**
 * Which folder of ours a server means. Guessed from files that both know, proved on sample files by every machine that has
 * the root, and only then believed: a wrong rule would have another film replaced than the server speaks of.
 */
export function sourceMapping(parts: CoordinatorParts, term: Term, outside: Outside): Mapping {
  const { mesh, events } = parts;
  const { db } = term;
  return { proposePaths, provePaths, savePaths };

  async function proposePaths(sourceId: number): Promise<PathProposal[]> {
    const row = await known(sourceId);
    const folders = [...new Set((await listSourceLibraries(db, sourceId)).flatMap((l) => (l.goneAt ? [] : l.folders)))].slice(
      0,
      MOST_RULES,
    );
    const samples = await samplesOf(row, folders);
    const sizes = [...new Set(samples.flatMap((item) => (item.sizeBytes === null ? [] : [item.sizeBytes])))];
    const guessed = proposeRules(samples, sizes.length > 0 ? await filesOfSizes(db, sizes) : []);
    // another server that calls its folders the same is likely to see the same disk
    const others = (await listSourcePaths(db)).filter(
      (rule) => rule.sourceId !== sourceId && (folders.length === 0 || folders.some((f) => placeOf(`${f}/x`, [rule]))),
    );
    const more = others.filter((rule) => !guessed.some((g) => g.prefix === rule.prefix));
    const unique = more.filter((rule, at) => more.findIndex((one) => one.prefix === rule.prefix) === at);
    return [...guessed, ...unique.map(({ prefix, rootId, folder }) => ({ prefix, rootId, folder, matched: 0, of: 0 }))].slice(
      0,
      MOST_RULES,
    );
  }

  /** What it listed; one that was added a moment ago is listed first, for as long as a person waits. */
  async function samplesOf(row: SourceRow, folders: string[]): Promise<ItemPath[]> {
    const read = async (): Promise<ItemPath[]> =>
      (await Promise.all(folders.map((f) => sampleItems(db, row.id, trimmed(f), GUESS_FROM)))).flat();
    const known = await read();
    if (known.length > 0 || folders.length === 0 || !row.enabled) return known;
    await Promise.race([outside.sources.listAll(row.id), new Promise((resolve) => setTimeout(resolve, 20_000).unref())]);
    return read();
  }

  async function provePaths(sourceId: number, wished: PathRule[]): Promise<PathProof[]> {
    await known(sourceId);
    const rules = await lawful(wished);
    const names = new Map((await listNodes(db)).map((node) => [node.id, node.name]));
    const roots = await listNodeRoots(db);
    const proofs: PathProof[] = [];
    for (const rule of rules) {
      const samples = (await sampleItems(db, sourceId, trimmed(rule.prefix), SAMPLES * 2)).flatMap((item) => {
        const place = placeOf(item.path, rules);
        // a longer prefix may claim it
        const own = place && placeOf(item.path, [rule]);
        return own && own.rootId === place.rootId && own.path === place.path ? [{ ...item, file: own.path }] : [];
      });
      const some = samples.slice(0, SAMPLES);
      const here = roots.filter((root) => root.rootId === rule.rootId && names.has(root.nodeId));
      const looked = await Promise.all(here.map((root) => look(root.nodeId, names.get(root.nodeId)!, root.problem, rule, some)));
      proofs.push({
        ...rule,
        nodes: looked.map((one) => one.node),
        samples: merged(
          some,
          looked.map((one) => one.sizes),
        ),
      });
    }
    return proofs;
  }

  async function look(
    nodeId: string,
    name: string,
    trouble: string | null,
    rule: PathRule,
    samples: { file: string; sizeBytes: number | null }[],
  ): Promise<{ node: PathProof['nodes'][number]; sizes: (number | null)[] | null }> {
    const none = { nodeId, name, found: 0, otherSize: 0, of: samples.length };
    if (trouble) return { node: { ...none, problem: `${name} cannot use this disk at present (${trouble}).` }, sizes: null };
    try {
      const ask = { op: 'look-at' as const, root: rule.rootId, paths: samples.map(({ file }) => file) };
      const answer = await mesh.request(nodeId, 'inspect', ask, { signal: AbortSignal.any([term.signal, AbortSignal.timeout(30_000)]) });
      if (answer.op !== 'looked' || answer.sizes.length !== samples.length) throw new PlainError(`${name} could not look there.`);
      const states = samples.map((sample, at) => stateOf(sample.sizeBytes, answer.sizes[at]!));
      const count = (state: string): number => states.filter((one) => one === state).length;
      return { node: { ...none, found: count('found'), otherSize: count('other-size'), problem: null }, sizes: answer.sizes };
    } catch (error) {
      return { node: { ...none, problem: `${name} could not look: ${messageOf(error).slice(0, 200)}` }, sizes: null };
    }
  }

  async function savePaths(sourceId: number, wished: PathRule[], anyway: boolean, by: Actor): Promise<void> {
    const row = await known(sourceId);
    const proofs = await provePaths(sourceId, wished);
    const open = proofs.find((proof) => !isProved(proof));
    if (open && !anyway) throw new PlainError(`${unprovedWords(open)} It can be saved all the same, if you are sure.`);
    await db.tx((q) =>
      replaceSourcePaths(
        q,
        sourceId,
        proofs.map(({ nodes, samples: _samples, ...rule }) => ({ ...rule, proved: isProved({ nodes }), proof: figures(nodes) })),
      ),
    );
    // if this ends half-way, the next listing places everything
    for (const library of await listSourceLibraries(db, sourceId)) await forgetMark(db, library.id);
    await placeAnew(sourceId);
    await addActivity(db, { kind: 'source-paths', by: by.name, params: { source: row.name, count: proofs.length } });
    events.emit('activity.added', { kind: 'source-paths', severity: 0 });
    events.emit('source.changed', { sourceId });
  }

  async function placeAnew(sourceId: number): Promise<void> {
    const rules = await listSourcePaths(db, sourceId);
    for (let after: ItemPath | null = null; !term.signal.aborted;) {
      const page: ItemPath[] = await pageOfItems(db, sourceId, after);
      const last = page.at(-1);
      if (!last) return;
      const moved = page.flatMap((item) => {
        const place = placeOf(item.path, rules);
        const same = item.rootId === (place?.rootId ?? null) && item.filePath === (place?.path ?? null);
        return same ? [] : [{ ...item, rootId: place?.rootId ?? null, filePath: place?.path ?? null }];
      });
      if (moved.length > 0) await mapItems(db, moved);
      after = last;
    }
  }

  /** Rules as they can be kept. */
  async function lawful(rules: PathRule[]): Promise<PathRule[]> {
    if (rules.length > MOST_RULES) throw new PlainError(`More than ${MOST_RULES} folders of one server cannot be matched.`);
    const roots = new Set((await listRoots(db)).map(({ id }) => id));
    const clean = rules.map((rule) => ({
      prefix: rule.prefix.trim(),
      rootId: rule.rootId,
      folder: rule.folder
        .split('/')
        .filter((name) => name !== '')
        .join('/'),
    }));
    for (const rule of clean) {
      if (!roots.has(rule.rootId)) throw new PlainError(`The folder for “${rule.prefix}” is on no disk that is known here.`);
      if (rule.folder.split('/').some((name) => name === '..' || name === '.' || name.includes('\0')) || rule.folder.length > 4000)
        throw new PlainError(`“${rule.folder}” is no folder below a disk.`);
      if (rule.prefix.length > 1000 || placeOf(`${trimmed(rule.prefix)}/x`, [rule]) === null)
        throw new PlainError(`“${rule.prefix.slice(0, 200)}” is no whole path as a media server writes one.`);
    }
    const twice = clean.find((rule, at) => clean.findIndex((one) => trimmed(one.prefix) === trimmed(rule.prefix)) !== at);
    if (twice) throw new PlainError(`“${twice.prefix}” is there twice.`);
    return clean;
  }

  async function known(sourceId: number): Promise<SourceRow> {
    const row = await readSource(db, sourceId);
    if (!row) throw new PlainError('This media server is not known any more.');
    return row;
  }
}

function stateOf(said: number | null, found: number | null): 'found' | 'other-size' | 'missing' {
  if (found === null) return 'missing';
  return said === null || said === found ? 'found' : 'other-size';
}

/** A file counts as found when any machine found it. */
function merged(
  samples: { path: string; file: string; sizeBytes: number | null }[],
  looked: ((number | null)[] | null)[],
): PathProof['samples'] {
  const order = ['found', 'other-size', 'missing'] as const;
  return samples.map(({ path, file, sizeBytes }, at) => {
    const states = looked.flatMap((sizes) => (sizes ? [stateOf(sizeBytes, sizes[at] ?? null)] : []));
    return { path, file, state: order.find((state) => states.includes(state)) ?? 'missing' };
  });
}

function figures(nodes: PathProof['nodes']): Record<string, { found: number; otherSize: number; of: number }> {
  return Object.fromEntries(nodes.map(({ nodeId, found, otherSize, of }) => [nodeId, { found, otherSize, of }]));
}

function trimmed(folder: string): string {
  return folder.replace(/[\\/]+$/, '');
}
