import { command, nodeFlags, noMoreWords, print } from './arguments.ts';
import { running } from './running.ts';

const help = `codecshift resume [--data-dir DIR] [--json]

Goes on after a pause.
`;

export function run(args: string[]): Promise<number> {
  return command(args, help, nodeFlags(['data-dir']), async ({ values, positionals }) => {
    noMoreWords(positionals);
    const { api } = await running(values);
    const answer = await api('POST', '/resume');
    print(values['json'] === true, answer, () => 'Work goes on.');
  });
}
