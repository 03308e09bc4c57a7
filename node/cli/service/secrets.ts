import { withEnvironment, type EnvDialect } from './env-file.ts';
import type { Machine } from './machine.ts';
import { textOf, type Step } from './steps.ts';
import type { Wish } from './wish.ts';

/** The file with the secrets: what has to be done about it, and whether there is one afterwards. */
export interface Secrets {
  steps: Step[];
  isThere: boolean;
}

/** One that would hold nothing is not made; one that is right already, and one that only a person wrote, is left as it is. */
export async function secretsOf(machine: Machine, wish: Wish, file: string, dialect: EnvDialect): Promise<Secrets> {
  const before = await textOf(machine, file);
  const content = withEnvironment(before ?? '', wish.environment, dialect, wish.forgotten);
  if (content === '') return { steps: before === null ? [] : [{ do: 'remove', path: file }], isThere: false };
  if (content === before) return { steps: [], isThere: true };
  return { steps: [{ do: 'file', path: file, content, mode: 0o600, secret: true }], isThere: true };
}
