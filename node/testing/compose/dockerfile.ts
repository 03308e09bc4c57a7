import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { settings, specOf, type SettingKey } from '../../config/schema.ts';
import { pinned } from './compose-file.ts';

interface Step {
  line: number;
  name: string;
  text: string;
}

/**
 * Is this Dockerfile right, as far as that can be known without building it? Its words, that everything it copies is
 * there and reaches the build, and what we promise of the image: pinned, not as root, with a health check.
 */
export function checkDockerfile(directory: string, name = 'Dockerfile'): string[] {
  const steps = stepsOf(readFileSync(path.join(directory, name), 'utf8'));
  const ignore = existsSync(path.join(directory, '.dockerignore')) ? readFileSync(path.join(directory, '.dockerignore'), 'utf8') : '';
  const stages = steps.flatMap((step) => (step.name === 'FROM' ? [/\sAS\s+(\S+)/i.exec(` ${step.text}`)?.[1] ?? ''] : []));
  const last = steps.slice(steps.findLastIndex((step) => step.name === 'FROM'));
  return [
    ...steps.flatMap((step) => stepProblems(step, directory, stages, ignore).map((problem) => `${name}:${step.line} ${problem}`)),
    ...promises(last, directory).map((problem) => `${name}: ${problem}`),
  ];
}

const words = 'ADD ARG CMD COPY ENTRYPOINT ENV EXPOSE FROM HEALTHCHECK LABEL RUN SHELL STOPSIGNAL USER VOLUME WORKDIR'.split(' ');

/** One step a line; lines that end in a backslash go on, comments between them count for nothing. */
function stepsOf(text: string): Step[] {
  const steps: Step[] = [];
  let open: Step | null = null;
  for (const [i, raw] of text.split('\n').entries()) {
    if (/^\s*(#|$)/.test(raw)) continue;
    const goesOn = /\\\s*$/.test(raw);
    const part = raw.replace(/\\\s*$/, '').trim();
    if (open) open.text += ` ${part}`;
    else {
      const match = /^(\S+)\s*(.*)$/.exec(part)!;
      steps.push((open = { line: i + 1, name: match[1]!.toUpperCase(), text: match[2]! }));
    }
    if (!goesOn) open = null;
  }
  return steps;
}

function stepProblems(step: Step, directory: string, stages: string[], ignore: string): string[] {
  if (!words.includes(step.name)) return [`${step.name} is no instruction`];
  switch (step.name) {
    case 'FROM': {
      const image = step.text.split(/\s/)[0]!;
      return stages.includes(image) || pinned(image) ? [] : [`${image} is not pinned to a version`];
    }
    case 'ADD':
      return ['COPY says what it does; ADD unpacks and downloads'];
    case 'COPY':
      return copyProblems(step.text, directory, stages, ignore);
    case 'RUN':
      return runProblems(step.text, directory);
    case 'EXPOSE':
      return step.text.split(/\s+/).flatMap((port) => (/^\d{1,5}(\/(tcp|udp))?$/.test(port) ? [] : [`${port} is no port`]));
    case 'ENV':
      return [...step.text.matchAll(/(\w+)=/g)].flatMap((match) => (isOurs(match[1]!) ? [] : [`${match[1]} is no setting`]));
    case 'HEALTHCHECK':
      return healthProblems(step.text);
    case 'CMD':
    case 'ENTRYPOINT':
    case 'VOLUME':
      return jsonList(step.text) ? [] : [`${step.name} must be a JSON list: a shell would swallow the signals`];
    case 'STOPSIGNAL':
      return /^SIG[A-Z]+$/.test(step.text) ? [] : [`${step.text} is no signal`];
    default:
      return [];
  }
}

function copyProblems(text: string, directory: string, stages: string[], ignore: string): string[] {
  const options = text.split(/\s+/).filter((part) => part.startsWith('--'));
  const sources = text
    .split(/\s+/)
    .filter((part) => !part.startsWith('--'))
    .slice(0, -1);
  const from = options.find((option) => option.startsWith('--from='))?.slice(7);
  if (from !== undefined) return stages.includes(from) ? [] : [`there is no stage ${from}`];
  if (sources.length === 0) return ['copies nothing'];
  return sources.flatMap((source) => {
    if (!existsSync(path.join(directory, source))) return [`${source} is not there`];
    return reaches(source, ignore) ? [] : [`${source} is kept out of the build by .dockerignore`];
  });
}

/** The last rule that speaks of a path decides. Rules for single files below it do not matter here. */
function reaches(source: string, ignore: string): boolean {
  let kept = true;
  for (const rule of ignore.split('\n').map((line) => line.trim())) {
    if (rule === '' || rule.startsWith('#')) continue;
    const pattern = rule.replace(/^!/, '');
    const speaks = pattern === '*' || source === pattern || source.startsWith(`${pattern}/`);
    if (speaks) kept = rule.startsWith('!');
  }
  return kept;
}

function runProblems(text: string, directory: string): string[] {
  const { scripts } = JSON.parse(readFileSync(path.join(directory, 'package.json'), 'utf8')) as { scripts: Record<string, string> };
  const missing = [...text.matchAll(/npm run ([\w:-]+)/g)]
    .filter((match) => !Object.hasOwn(scripts, match[1]!))
    .map((match) => `there is no npm script ${match[1]}`);
  const installs = /npm (ci|install)\b(?![\w-])/.exec(text);
  return [
    ...missing,
    ...(installs && installs[1] !== 'ci' ? ['npm install does not keep to the lock file'] : []),
    ...(installs && !text.includes('--ignore-scripts') ? ['npm ci without --ignore-scripts runs code of packages'] : []),
    ...(installs && !text.includes('--omit=dev') ? ['npm ci without --omit=dev brings tools that the image does not need'] : []),
  ];
}

function healthProblems(text: string): string[] {
  const [options = '', command] = text.split(/\bCMD\b/);
  const wrong = options
    .trim()
    .split(/\s+/)
    .filter((option) => option !== '' && !/^--(interval|timeout|start-period|start-interval)=\d+(ms|s|m|h)$|^--retries=\d+$/.test(option));
  return [
    ...wrong.map((option) => `${option} is no option of a health check`),
    ...(command && jsonList(command) ? [] : ['has no JSON list as its command']),
  ];
}

/** What we say of the image, and what compose relies on. */
function promises(steps: Step[], directory: string): string[] {
  const texts = (name: string): string[] => steps.filter((step) => step.name === name).map((step) => step.text);
  const user = texts('USER').at(-1);
  const started = [...texts('CMD'), ...texts('HEALTHCHECK').map((text) => text.split('CMD')[1] ?? '')].flatMap(
    (text) => jsonList(text) ?? [],
  );
  const exposed = (texts('EXPOSE')[0] ?? '').split(/\s+/);
  const mesh = Number(settings.meshPort.default);
  return [
    ...(user === undefined || /^(root|0)\b/.test(user) ? ['runs as root'] : []),
    ...(texts('HEALTHCHECK').length === 0 ? ['has no health check'] : []),
    ...started
      .filter((word) => /\.(ts|cjs|js)$/.test(word) && !existsSync(path.join(directory, word)))
      .map((word) => `starts ${word}, which is not there`),
    ...[settings.port.default, mesh, mesh + 1, mesh + 2]
      .filter((port) => !exposed.includes(String(port)))
      .map((port) => `does not name port ${port}`),
  ];
}

function isOurs(variable: string): boolean {
  return !variable.startsWith('CODECSHIFT_') || (Object.keys(settings) as SettingKey[]).some((key) => specOf(key).env === variable);
}

function jsonList(text: string): string[] | null {
  try {
    const list: unknown = JSON.parse(text.trim());
    return Array.isArray(list) && list.every((word) => typeof word === 'string') ? list : null;
  } catch {
    return null;
  }
}
