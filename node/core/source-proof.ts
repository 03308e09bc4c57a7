import type { PathProof } from './commands.ts';

/** One machine at least found every sample, and nobody found one of another size: then it is the same disk, perhaps seen late by some. */
export function isProved(proof: Pick<PathProof, 'nodes'>): boolean {
  const asked = proof.nodes.filter((node) => node.problem === null && node.of > 0);
  return asked.some(({ found, of }) => found === of) && asked.every(({ otherSize }) => otherSize === 0);
}

/** Why a rule is not proved, as a sentence. */
export function unprovedWords(proof: Pick<PathProof, 'prefix' | 'nodes'>): string {
  const looked = proof.nodes.filter((node) => node.problem === null);
  const best = looked.toSorted((a, b) => b.found - a.found)[0];
  if (!best) return `No machine could look for the files of “${proof.prefix}”.`;
  if (best.of === 0) return `There is no sample file below “${proof.prefix}” to look for.`;
  const other = looked.find(({ otherSize }) => otherSize > 0);
  const found = `Of ${best.of} sample files below “${proof.prefix}”, ${best.name} has ${best.found}`;
  return other ? `${found}; on ${other.name} ${other.otherSize} of them have another size.` : `${found}.`;
}
