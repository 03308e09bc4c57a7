import { command, nodeFlags, noMoreWords, print } from './arguments.ts';
import { running } from './running.ts';

const help = `codecshift pause [--data-dir DIR] [--json]

Stops handing out work. Files that are being encoded finish.
`;

export function run(args: string[]): Promise<number> {
  return command(args, help, nodeFlags(['data-dir']), async ({ values, positionals }) => {
    noMoreWords(positionals);
    const { api } = await running(values);
    const answer = await api('POST', '/pause');
    print(values['json'] === true, answer, () => 'No new files are begun. Running files finish.');
  });
}
