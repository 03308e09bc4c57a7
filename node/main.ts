import { parseArgs } from 'node:util';

/**
 * Reads which command is meant and loads only that one: `--help` must answer at once, so nothing else is imported here.
 * The table is the command line's only list of commands; each file in cli/ declares its own flags.
 */
const commands: Record<string, { help: string; load: () => Promise<{ run: (args: string[]) => Promise<number> }> }> = {
  run: { help: 'start this machine: scan, convert, show the dashboard', load: () => import('./cli/run.ts') },
  stop: { help: 'end the running program in order; its half-done encodes begin anew later', load: () => import('./cli/stop.ts') },
  service: { help: 'start with the system, without anybody signing in', load: () => import('./cli/service.ts') },
  status: { help: 'what is going on, from the running program', load: () => import('./cli/status.ts') },
  scan: { help: 'look for new files now', load: () => import('./cli/scan.ts') },
  pause: { help: 'begin no new files; running ones finish', load: () => import('./cli/pause.ts') },
  resume: { help: 'go on after a pause', load: () => import('./cli/resume.ts') },
  jobs: { help: 'list the queue, or act on one job', load: () => import('./cli/jobs.ts') },
  nodes: { help: 'list the machines, approve one, make a join token', load: () => import('./cli/nodes.ts') },
  sources: { help: 'list the media servers, add one, choose its libraries', load: () => import('./cli/sources.ts') },
  notify: { help: 'list the places that are told what happens, send a test to one', load: () => import('./cli/notify.ts') },
  admin: { help: 'a new password for an admin who cannot sign in any more', load: () => import('./cli/admin.ts') },
  cleanup: { help: 'list what killed programs left in the libraries; delete it with --delete', load: () => import('./cli/cleanup.ts') },
  backup: { help: 'back up the database and the keys into one file, or verify one', load: () => import('./cli/backup.ts') },
  restore: { help: 'put a backup back as the database of this machine', load: () => import('./cli/restore.ts') },
  database: { help: 'where the database is; move it to an external PostgreSQL, or back', load: () => import('./cli/database.ts') },
  plan: { help: 'say what would be done with one file, and why', load: () => import('./cli/plan.ts') },
  encoders: { help: 'test the encoders of this machine by real encodes', load: () => import('./cli/encoders.ts') },
  logs: { help: 'the newest lines of the log; how much is written', load: () => import('./cli/logs.ts') },
  'support-bundle': { help: 'one file for whoever helps you, without secrets', load: () => import('./cli/support-bundle.ts') },
  doctor: { help: 'check everything this machine needs, in plain words', load: () => import('./cli/doctor.ts') },
  licenses: { help: 'the licence of CodecShift and of what is inside it', load: () => import('./cli/licenses.ts') },
};

/** What the program starts itself with, as processes of its own; nobody types them. */
const inner: typeof commands = {
  'keep-running': { help: '', load: () => import('./cli/keep-running.ts') },
  'look-for-roots': { help: '', load: () => import('./cli/look-for-roots.ts') },
};

const width = Math.max(...Object.keys(commands).map((name) => name.length));
const usage = `CodecShift turns a film collection into HEVC, safely.

  codecshift <command> [options]

${Object.entries(commands)
  .map(([name, { help }]) => `  ${name.padEnd(width)} ${help}`)
  .join('\n')}

  codecshift <command> --help   shows the options of one command
  --json                        answers of every command but run as JSON
`;

// A call that hangs in a disk holds one of libuv's threads until the disk answers, and there are four by default: one share that is away
// would stop every other file of this process. Read when the first of them is needed; one that waits costs next to nothing.
process.env['UV_THREADPOOL_SIZE'] ??= '32';

// Whoever reads what is said may go away first: `head`, a closed terminal, a `tee` that was ended. That is no reason to break off in the
// middle, least of all for a node that converts films.
for (const stream of [process.stdout, process.stderr]) stream.on('error', () => {});

const code = await main(process.argv.slice(2));
for (const stream of [process.stdout, process.stderr]) await new Promise<void>((resolve) => stream.write('', () => resolve()));
(await import('./cli/leave.ts')).leave(code);

async function main(argv: string[]): Promise<number> {
  const { positionals } = parseArgs({ args: argv, strict: false, allowPositionals: true });
  const name = argv[0] && !argv[0].startsWith('-') ? argv[0] : positionals[0];
  if (argv.includes('--version') && (!name || !Object.hasOwn(commands, name))) return printVersion();
  if (argv[0] && Object.hasOwn(inner, argv[0])) return (await inner[argv[0]]!.load()).run(argv.slice(1));
  if (!name || !Object.hasOwn(commands, name)) {
    // options without a command are a command that was forgotten
    const forgotten = argv[0]?.startsWith('-') && !argv.some((word) => word === '--help' || word === '-h');
    const asked = !forgotten && (name === undefined || name === 'help');
    const wrong = forgotten ? `Say a command first: codecshift run ${argv[0]} …` : `There is no command "${name}".`;
    (asked ? process.stdout : process.stderr).write(asked ? usage : `${wrong}\n\n${usage}`);
    return asked ? 0 : 2;
  }
  const rest = argv.filter((_, i) => i !== argv.indexOf(name));
  const command = await commands[name]!.load();
  return command.run(rest);
}

async function printVersion(): Promise<number> {
  const { version } = await import('./version.ts');
  process.stdout.write(`${version}\n`);
  return 0;
}
