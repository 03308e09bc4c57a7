import { loadOptions, type RunOptions } from '../config/load.ts';
import { command, nodeFlags, noMoreWords, print } from './arguments.ts';
import { createExamination, type Finding } from './doctor-examination.ts';
import { examineMachine } from './doctor-machine.ts';
import { examineNetwork } from './doctor-network.ts';
import { findProgram } from './doctor-program.ts';
import { installed } from './service/choice.ts';
import { isRoot, thisMachine } from './service/machine.ts';

const help = `codecshift doctor [options of run] [--json]

Checks everything this machine needs, and why another machine is not seen, and says in plain words what is wrong and
what helps. Give it the options with which the program runs; those of an installed service it knows. While the program
runs it can say more.
`;

export function run(args: string[]): Promise<number> {
  return command(args, help, nodeFlags(), async ({ values, positionals }) => {
    noMoreWords(positionals);
    const findings = await examine(loadOptions({ ...serviceFlags(values), ...values }));
    print(values['json'] === true, { findings }, () =>
      findings.map((f) => `${!f.ok ? '✗' : f.heed ? '!' : '✓'} ${f.check}: ${f.says}`).join('\n'),
    );
    endWhateverHangs();
    return findings.every((f) => f.ok) ? 0 : 1;
  });
}

/** A service has its own data directory, and whoever types only "doctor" means that program. */
function serviceFlags(values: Record<string, unknown>): Record<string, unknown> {
  if (values['data-dir'] !== undefined || process.env['CODECSHIFT_DATA_DIR']) return {};
  const machine = thisMachine();
  const record = installed(machine, {});
  if (!record) return {};
  if (record.scope === 'user' || isRoot(machine) || machine.platform === 'win32') return record.flags;
  process.stderr.write('CodecShift is installed here as a service of the whole machine. Say the same with sudo to have that looked at.\n');
  return {};
}

async function examine(options: RunOptions): Promise<Finding[]> {
  const examination = createExamination();
  const program = await findProgram(options.dataDir);
  await examineMachine(examination, options, program);
  await examineNetwork(examination, options, program);
  return examination.findings;
}

/** A thread that waits for a hung disk keeps the program from ending, and `process.exit` would wait for it too. */
function endWhateverHangs(): void {
  setTimeout(() => process.kill(process.pid, 'SIGTERM'), 1500).unref();
}
