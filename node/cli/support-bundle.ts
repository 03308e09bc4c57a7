import { stat } from 'node:fs/promises';
import path from 'node:path';
import { command, nodeFlags, noMoreWords, print } from './arguments.ts';
import { requireNewFile } from './named-file.ts';
import { running } from './running.ts';
import { bytes } from './words.ts';

const help = `codecshift support-bundle [--out FILE] [--with-names] [--data-dir DIR] [--json]

One .tar.gz for whoever helps you: versions, settings, what the doctor says, the machines, the last failures with ffmpeg's
words, and the newest lines of the log, from the program that runs on this machine. It holds no password, no token and no
whole address. Films, folders, people and machines have other names in it, unless --with-names keeps them. Read its
MANIFEST.txt before you send it. Made on the machine that coordinates, it also tells of the queue.
`;

export function run(args: string[]): Promise<number> {
  const flags = { out: { type: 'string' }, 'with-names': { type: 'boolean' } } as const;
  return command(args, help, { ...nodeFlags(['data-dir']), ...flags }, async ({ values, positionals }) => {
    noMoreWords(positionals);
    const { download } = await running(values);
    const file = path.resolve(typeof values['out'] === 'string' ? values['out'] : usualName());
    // never over a file that is there: it may be one that a person wanted to keep
    await requireNewFile(file);
    await download('/node/support-bundle', file, { names: values['with-names'] === true });
    const { size: sizeBytes } = await stat(file);
    print(values['json'] === true, { file, sizeBytes }, () =>
      [`${file} (${bytes(sizeBytes)})`, 'Read the MANIFEST.txt in it before you send it.'].join('\n'),
    );
    return 0;
  });
}

function usualName(): string {
  return `codecshift-support-${new Date().toISOString().slice(0, 10)}.tar.gz`;
}
