import { PlainError } from '../errors.ts';
import { command, nodeFlags, noMoreWords, print } from './arguments.ts';
import { running } from './running.ts';
import { counted, jobLine, type JobAnswer } from './words.ts';

const actions = ['cancel', 'retry', 'pause', 'resume', 'top', 'end'] as const;

const help = `codecshift jobs [--state STATE] [--search TEXT] [--limit N] [--data-dir DIR] [--json]
codecshift jobs <${actions.join('|')}> ID
codecshift jobs priority ID <high|normal|low>
codecshift jobs clear --yes

Lists jobs, or acts on one. STATE is waiting (the default), running, held, failed,
finished, replaced, kept, restored, cancelled or history.
`;

const flags = { state: { type: 'string' }, search: { type: 'string' }, limit: { type: 'string' }, yes: { type: 'boolean' } } as const;

export function run(args: string[]): Promise<number> {
  return command(args, help, { ...nodeFlags(['data-dir']), ...flags }, async ({ values, positionals }) => {
    noMoreWords(positionals, positionals[0] === 'priority' ? 3 : positionals[0] === 'clear' ? 1 : 2);
    const json = values['json'] === true;
    const [action, id, extra] = positionals;
    if (!action) return list((await running(values)).api, values, json);
    if (action === 'clear') return clear(values, json);
    if (action !== 'priority' && !(actions as readonly string[]).includes(action))
      throw new PlainError(
        `"${action}" is nothing that can be done with a job. Possible: ${actions.join(', ')}, priority, clear. To list jobs: codecshift jobs --state STATE`,
      );
    if (!/^\d+$/.test(id ?? ''))
      throw new PlainError(`Give the number of a job: codecshift jobs ${action} ID. "codecshift jobs" shows the numbers.`);
    const { api } = await running(values);
    if (action === 'priority') {
      print(json, await api('POST', `/jobs/${id}/priority`, { priority: extra }), () => `Job ${id} has ${extra} priority now.`);
    } else print(json, await api('POST', `/jobs/${id}/${action}`), () => `Done: ${action} job ${id}.`);
  });
}

type Api = Awaited<ReturnType<typeof running>>['api'];

async function list(api: Api, values: Record<string, unknown>, json: boolean): Promise<void> {
  const query = new URLSearchParams();
  const state = typeof values['state'] === 'string' ? values['state'] : 'waiting';
  for (const [flag, name] of [
    ['state', 'state'],
    ['search', 'q'],
    ['limit', 'limit'],
  ] as const) {
    if (typeof values[flag] === 'string') query.set(name, values[flag]);
  }
  const answer = await api<{ items: JobAnswer[]; after: string | null }>('GET', `/jobs?${query}`);
  print(json, answer, () => {
    const lines = answer.items.map((job) => `${jobLine(job)}${job.reason ? `\n      ${job.reason.sentence}` : ''}`);
    return lines.length
      ? [...lines, ...(answer.after ? ['(there are more; raise --limit or use --json)'] : [])].join('\n')
      : `No job is ${state === 'history' ? 'over yet' : state}.`;
  });
}

async function clear(values: Record<string, unknown>, json: boolean): Promise<void> {
  if (values['yes'] !== true) throw new PlainError('This takes every waiting file out of the queue. Say --yes if you mean it.');
  const { api } = await running(values);
  const answer = await api<{ removed: number }>('POST', '/clear', { confirm: true });
  print(json, answer, () => `${counted(answer.removed, 'file')} left the queue.`);
}
