import { PlainError } from '../errors.ts';
import { command, nodeFlags, noMoreWords, print } from './arguments.ts';
import { running } from './running.ts';

const help = `codecshift scan [LIBRARY-ID] [--data-dir DIR] [--json]

Looks for new and changed files now, in one library or in all.
`;

export function run(args: string[]): Promise<number> {
  return command(args, help, nodeFlags(['data-dir']), async ({ values, positionals }) => {
    noMoreWords(positionals, 1);
    const library = positionals[0] === undefined ? null : Number(positionals[0]);
    if (library !== null && !(Number.isSafeInteger(library) && library > 0))
      throw new PlainError(`"${positionals[0]}" is not the number of a library. "codecshift status" shows the numbers.`);
    const { api } = await running(values);
    const answer = await api<{ started: number }>('POST', '/scan', library === null ? {} : { library });
    print(values['json'] === true, answer, () =>
      answer.started ? `${answer.started} scan${answer.started === 1 ? '' : 's'} started.` : 'A scan is running already.',
    );
  });
}
