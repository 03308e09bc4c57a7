import type { PathProof, PathProposal, PathRule } from '../../core/commands.ts';
import { isProved } from '../../core/source-proof.ts';
import { visibleName } from '../../core/visible-name.ts';
import { plural } from '../format.ts';

/** Rows at most; a server with more folders is set up by the API. */
export const MAX_RULES = 40;
/** Empty rows to add rules by hand. */
const SPARE = 1;

export interface PathRowView {
  n: number;
  prefix: string;
  root: string;
  folder: string;
  /** "12 of 20 sample files point there"; '' when nobody guessed it */
  matched: string;
  problem: string;
  proof: ProofView | null;
}

export interface ProofView {
  proved: boolean;
  nodes: { name: string; words: string; tone: 'ok' | 'heed' | 'dim' }[];
  samples: { path: string; file: string; word: string; tone: 'ok' | 'heed' | 'bad' }[];
}

export interface RootChoice {
  id: string;
  label: string;
}

/** One choice for each root: its libraries by name, and where one machine has it. */
export function rootChoices(
  places: readonly { rootId: string; path: string; node: string }[],
  libraries: readonly { rootId: string; name: string }[],
): RootChoice[] {
  const ids = new Set([...libraries.map((l) => l.rootId), ...places.map((p) => p.rootId)]);
  return [...ids]
    .map((id) => {
      const place = places.find((p) => p.rootId === id);
      const names = libraries.filter((l) => l.rootId === id).map((l) => l.name);
      const where = place ? `${visibleName(place.path, 120)} on ${place.node}` : 'on no machine that is here now';
      const shown = names.slice(0, 3).join(', ') + (names.length > 3 ? ' …' : '');
      return { id, label: shown ? `${shown} (${where})` : where };
    })
    .sort((a, b) => a.label.localeCompare(b.label));
}

export interface PathsPage {
  id: number;
  name: string;
  /** it lists no files, so nothing can be guessed or proved */
  fetches: boolean;
  rows: PathRowView[];
  roots: RootChoice[];
  problem: string;
  /** rules were looked at on the disks: they may be saved now */
  looked: boolean;
  allProved: boolean;
  /** a rule that is not proved needs a tick before it is saved */
  sure: boolean;
  /** libraries that are watched once this is saved */
  watch: string[];
  /** those that are new here are only looked through until somebody starts them */
  lookFirst: boolean;
  watchTitles: string;
  /** folders that no row covers */
  uncovered: string[];
  machines: { id: string; name: string }[];
  folder: { path: string; node: string; problem: string };
}

export interface PathRowPart {
  row: PathRowView;
  roots: RootChoice[];
}

/** What stands in the rows before anybody typed: what is saved, then what is guessed for the rest. */
export function proposedRows(saved: readonly PathRule[], proposals: readonly PathProposal[]): PathRowView[] {
  const known = new Set(saved.map((rule) => rule.prefix));
  const rows = [
    ...saved.map((rule) => ({ ...rule, matched: '' })),
    ...proposals.filter((p) => !known.has(p.prefix)).map((p) => ({ ...p, matched: matchedWords(p) })),
  ];
  return numbered(rows.map(({ prefix, rootId, folder, matched }) => ({ prefix, root: rootId, folder, matched, problem: '', proof: null })));
}

function matchedWords({ matched, of }: PathProposal): string {
  return of === 0
    ? 'Nothing could be guessed: no file of it is known here by name and size.'
    : `${matched} of ${plural(of, 'sample file')} ${matched === 1 ? 'points' : 'point'} there`;
}

/**
 * The form as it was sent. Rows without a prefix are dropped: emptying it is how a rule is taken away. Rows without a place
 * stay in the form and are no rule yet.
 */
export function readRules(form: URLSearchParams, roots: readonly RootChoice[]): { rules: PathRule[] | null; rows: PathRowView[] } {
  const rows: Omit<PathRowView, 'n'>[] = [];
  for (let n = 0; n < MAX_RULES; n++) {
    const prefix = (form.get(`prefix-${n}`) ?? '').trim();
    if (prefix === '') continue;
    const root = (form.get(`root-${n}`) ?? '').slice(0, 64);
    const folder = (form.get(`folder-${n}`) ?? '').trim();
    rows.push({ prefix, root, folder, matched: '', problem: '', proof: null });
  }
  const placed = rows.filter((row) => row.root !== '' || row.folder !== '');
  for (const row of placed) row.problem = problemOf(row, rows, roots);
  const rules = placed.every((row) => row.problem === '')
    ? placed.map((row) => ({ prefix: row.prefix, rootId: row.root, folder: tidyFolder(row.folder) }))
    : null;
  return { rules, rows: numbered(rows) };
}

function problemOf(row: Omit<PathRowView, 'n'>, rows: readonly Omit<PathRowView, 'n'>[], roots: readonly RootChoice[]): string {
  if (row.prefix.length > 1000 || row.folder.length > 1000) return 'A path may have at most 1,000 letters.';
  if (row.prefix.includes('\0') || row.folder.includes('\0') || !row.prefix.isWellFormed() || !row.folder.isWellFormed())
    return 'It holds a character that no path can have.';
  if (rows.filter((other) => other.prefix === row.prefix).length > 1) return 'The same folder of the server stands in two rows.';
  if (!roots.some((root) => root.id === row.root)) return 'Say which library root it is here.';
  if (tidyFolder(row.folder).split('/').includes('..')) return 'A folder lies below the root, so it cannot hold “..”.';
  return '';
}

/** Below the root, '/' separators, none at the ends. */
function tidyFolder(folder: string): string {
  return folder
    .replaceAll('\\', '/')
    .split('/')
    .filter((part) => part !== '' && part !== '.')
    .join('/');
}

function numbered(rows: readonly Omit<PathRowView, 'n'>[]): PathRowView[] {
  const spare = Array.from({ length: SPARE }, () => ({ prefix: '', root: '', folder: '', matched: '', problem: '', proof: null }));
  return [...rows, ...spare].slice(0, MAX_RULES).map((row, n) => ({ ...row, n }));
}

/** The rows with what was found on the disks. */
export function withProof(rows: readonly PathRowView[], proofs: readonly PathProof[]): PathRowView[] {
  return rows.map((row) => {
    const proof = proofs.find((p) => p.prefix === row.prefix);
    return proof ? { ...row, proof: proofView(proof) } : row;
  });
}

export function proofView(proof: PathProof): ProofView {
  return {
    proved: isProved(proof),
    nodes: proof.nodes.map((n) => ({
      name: n.name,
      words: nodeWords(n),
      tone: n.problem !== null ? 'dim' : n.of > 0 && n.found === n.of ? 'ok' : 'heed',
    })),
    samples: proof.samples.slice(0, 40).map((s) => {
      const [word, tone] = sampleWords[s.state];
      return { path: visibleName(s.path, 300), file: visibleName(s.file, 300), word, tone };
    }),
  };
}

const sampleWords = { found: ['found', 'ok'], 'other-size': ['another size', 'heed'], missing: ['not there', 'bad'] } as const;

function nodeWords(n: PathProof['nodes'][number]): string {
  if (n.problem !== null) return n.problem;
  if (n.of === 0) return 'no sample file lies there';
  if (n.found === n.of) return `all ${n.of} sample files found, each with the same size`;
  const missing = n.of - n.found - n.otherSize;
  return [
    `${n.found} of ${n.of} found`,
    ...(n.otherSize > 0 ? [`${n.otherSize} with another size`] : []),
    ...(missing > 0 ? [`${missing} missing`] : []),
  ].join(', ');
}
