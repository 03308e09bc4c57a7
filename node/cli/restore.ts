import { createInterface } from 'node:readline/promises';
import { withDatabaseChoice, placeOf } from '../assembly/database-choice.ts';
import { makeDataDir } from '../assembly/data-dir.ts';
import { settleDatabase } from '../assembly/database-truth.ts';
import { restoreBackup } from '../assembly/restore.ts';
import { loadOptions } from '../config/load.ts';
import { lockDirectory } from '../db/directory-lock.ts';
import { PlainError } from '../errors.ts';
import { createLog } from '../log.ts';
import { command, nodeFlags, print } from './arguments.ts';
import { requireFile } from './named-file.ts';
import { passphraseFrom } from './passphrase.ts';
import { stopsBySignal, tellSteps } from './steps.ts';

const help = `codecshift restore FILE [--passphrase-file FILE] [--replace] [--yes] [--json]

Puts a backup back as the database of this machine, while CodecShift is stopped here. It is read and compared with its digests
first, and nothing is changed before all of it is known to be good.

  --passphrase-file FILE  of an encrypted backup; "-" reads it from the standard input
  --replace               a database that is there may be replaced; a backup of it is made first, and it is kept beside the new one
  --yes                   does not ask
  --data-dir DIR  --database-url URL  --secret-key-file FILE
`;

const flags = { 'passphrase-file': { type: 'string' }, replace: { type: 'boolean' }, yes: { type: 'boolean' } } as const;

export function run(args: string[]): Promise<number> {
  return command(
    args,
    help,
    { ...nodeFlags(['data-dir', 'database-url', 'secret-key-file']), ...flags },
    async ({ values, positionals }) => {
      const [file, ...rest] = positionals;
      if (file === undefined || rest.length > 0) throw new PlainError('Name the file of one backup: codecshift restore FILE');
      await requireFile(file);
      const asked = loadOptions(values);
      await makeDataDir(asked.dataDir);
      const lock = lockDirectory(asked.dataDir);
      try {
        const log = createLog({ level: 'warn', pretty: process.stderr.isTTY });
        await settleDatabase(asked.dataDir, log);
        const options = await withDatabaseChoice(asked);
        const passphrase = await passphraseFrom(values['passphrase-file']);
        if (values['yes'] !== true)
          await confirm(`Put ${file} back into ${placeOf(options.databaseUrl)} (data directory ${options.dataDir})?`);
        const { dataDir, databaseUrl, secretKeyFile } = options;
        const restored = await restoreBackup({
          ...{ file, passphrase, dataDir, databaseUrl, secretKeyFile, log },
          replace: values['replace'] === true,
          by: 'the command line',
          signal: stopsBySignal(),
          onStep: tellSteps(values['json'] === true),
        });
        print(values['json'] === true, restored, () =>
          [
            `The backup of "${restored.cluster}" from ${restored.takenAt.slice(0, 16).replace('T', ' ')} UTC is back: ${restored.rows.toLocaleString('en')} rows, each compared.`,
            ...(restored.safety ? [`What was there before is in the backup ${restored.safety}.`] : []),
            ...restored.notes,
            'Start CodecShift. It scans every library first; no film is touched that is not the one the books know.',
          ].join('\n'),
        );
      } finally {
        lock.release();
      }
    },
  );
}

/** @throws PlainError when nobody is there to say yes */
export async function confirm(question: string): Promise<void> {
  if (!process.stdin.isTTY) throw new PlainError(`${question} Say --yes.`);
  const asking = createInterface({ input: process.stdin, output: process.stderr });
  const answer = await asking.question(`${question} [y/N] `).finally(() => asking.close());
  if (!/^y(es)?$/i.test(answer.trim())) throw new PlainError('Nothing was changed.');
}
