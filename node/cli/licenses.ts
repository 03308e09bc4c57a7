import { readFileSync } from 'node:fs';
import { inExecutable, programFile } from '../program.ts';
import { command, noMoreWords, print } from './arguments.ts';

const help = `codecshift licenses [--json]

Prints the licence of CodecShift, and those of everything by others that is inside this program.
`;

export function run(args: string[]): Promise<number> {
  return command(args, help, {}, async ({ values, positionals }) => {
    noMoreWords(positionals);
    const own = readFileSync(programFile('LICENSE'), 'utf8').trim();
    // from source nothing of others is inside: npm fetched it, each part with its licence
    const others = inExecutable ? readFileSync(programFile('THIRD-PARTY-LICENSES'), 'utf8').trim() : null;
    const where = 'The licences of the packages it uses lie with them in node_modules.';
    print(values['json'] === true, { own, others }, () => `${own}\n\n${'='.repeat(80)}\n\n${others ?? where}`);
  });
}
