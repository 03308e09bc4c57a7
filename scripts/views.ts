import { mkdirSync, mkdtempSync, readdirSync, readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { spawnSync } from 'node:child_process';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { Eta } from 'eta';
import { viewsDirectory } from '../node/web/views.ts';

/**
 * Type-checks the views. Each one names its model in the first line:
 *
 *   <% /* @type {import("../../node/web/models/overview.ts").HeroView} *\/ %>
 *
 * It becomes a function in a .js file, one output line per source line, and the compiler says which field is misspelt,
 * which value may be null where it is printed, which include gets the wrong data. Prints the compiler's messages with the
 * view's own name and line, and exits with 1 when there are any.
 *
 * Why JavaScript and not TypeScript: eta cannot run types, so a view that uses them must not pass here either.
 */
export interface ViewProblem {
  view: string;
  line: number;
  message: string;
}

const root = path.join(viewsDirectory, '..');

/** Checks all views of a directory. `extra` are further views by name, for the test of this check. */
export function checkViews(extra: Record<string, string> = {}): ViewProblem[] {
  const sources = { ...readViews(), ...extra };
  // not below node_modules: there the compiler does not read the types in JavaScript's comments
  const out = mkdtempSync(path.join(realpathSync(tmpdir()), 'codecshift-views-'));
  try {
    const problems = Object.entries(sources).flatMap(([name, source]) => lint(name, source));
    for (const [name, source] of Object.entries(sources)) {
      const file = path.join(out, `${name}.js`);
      mkdirSync(path.dirname(file), { recursive: true });
      writeFileSync(file, compile(name, source, relativeModule(path.dirname(file), out)));
    }
    writeFileSync(path.join(out, 'package.json'), '{"type":"module"}');
    writeFileSync(path.join(out, 'views.ts'), declarations(sources));
    writeFileSync(
      path.join(out, 'tsconfig.json'),
      JSON.stringify({
        extends: path.join(root, 'tsconfig.json'),
        compilerOptions: { allowJs: true, checkJs: true, typeRoots: [path.join(root, 'node_modules/@types')] },
        include: ['**/*'],
        exclude: [],
      }),
    );
    return [...problems, ...runCompiler(out)];
  } finally {
    rmSync(out, { recursive: true, force: true });
  }
}

function relativeModule(from: string, out: string): string {
  const way = path.relative(from, path.join(out, 'views.ts')).replaceAll('\\', '/');
  return way.startsWith('.') ? way : `./${way}`;
}

function readViews(): Record<string, string> {
  const names = readdirSync(viewsDirectory, { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.eta'));
  return Object.fromEntries(
    names.map((name) => [name.replace(/\.eta$/, '').replaceAll('\\', '/'), readFileSync(path.join(viewsDirectory, name), 'utf8')]),
  );
}

/** What the compiler cannot see: raw output of data, and everything that the content security policy would stop. */
function lint(view: string, source: string): ViewProblem[] {
  const rules: [RegExp, string][] = [
    [/<%~(?!\s*(include\(|it\.body\s*%>|icon\(|charts\.\w+\())/g, 'raw output is only for include, it.body, icon() and charts'],
    [/\sstyle\s*=/g, 'no inline style: the content security policy stops it'],
    [/\shx-on\b|\sjs:|\son[a-z]+\s*=\s*["']/g, 'no code in attributes: the content security policy stops it'],
    [/<script(?![^>]*\bsrc=)/g, 'no inline script: the content security policy stops it'],
    [/hx-trigger\s*=\s*"[^"]*\[/g, 'no filter in hx-trigger: it needs eval'],
    [/\s[\w:-]+=<%=/g, 'attributes need quotes: escaping does not protect an unquoted one'],
    [
      /\s(?:href|src|action|formaction|hx-get|hx-post)="<%=(?!\s*(?:url\.|it\.(?:css|js|favicon|live)\s*%>|(?:\w+\.)*(?:action|before|after|back|\w*[hH]ref|src)\s*%>))/g,
      'addresses come from url.* or a model field made of it: href, …Href, action, back, before, after',
    ],
  ];
  return rules.flatMap(([pattern, message]) =>
    [...source.matchAll(pattern)].map((m) => ({ view, line: source.slice(0, m.index).split('\n').length, message })),
  );
}

const typeLine = /^<%\s*\/\*\s*@type \{import\("([^"]+)"\)\.(\w+)\}\s*\*\/\s*%>/;

function typeOf(view: string, source: string): string {
  const match = typeLine.exec(source);
  if (!match) throw new Error(`views/${view}.eta does not name its model in the first line`);
  return `import(${JSON.stringify(path.resolve(viewsDirectory, path.dirname(view), match[1]!).replaceAll('\\', '/'))}).${match[2]}`;
}

const eta = new Eta({ debug: true, autoTrim: false });

/** Lines before the view's own; the compiler reads a type comment only at the start of a line. */
const HEAD_LINES = 2;

function head(view: string, runtime: string): string {
  const from = JSON.stringify(runtime);
  return `import { $out, include, icon, url, format, charts, csrf } from ${from};
/** @param {import(${from}).Models[${JSON.stringify(`/${view}`)}]} it */
export function view(it) { `;
}

/** One source line is one output line, so that the compiler's line numbers are the view's. */
function compile(view: string, source: string, runtime: string): string {
  let body = '';
  let line = 1;
  for (const part of eta.parse(source)) {
    if (typeof part === 'string') continue;
    const at = part.lineNo ?? line;
    if (at > line) {
      body += '\n'.repeat(at - line);
      line = at;
    }
    body += part.t === 'e' ? `${part.val} ` : `$out(${part.val}); `;
    line += part.val.split('\n').length - 1;
  }
  return `${head(view, runtime)}${body}}\n`;
}

function declarations(sources: Record<string, string>): string {
  const models = Object.entries(sources).map(([view, source]) => `  ${JSON.stringify(`/${view}`)}: ${typeOf(view, source)};`);
  const helpers = path.join(root, 'node/web/views.ts').replaceAll('\\', '/');
  return `import type { Helpers } from ${JSON.stringify(helpers)};
export interface Models {\n${models.join('\n')}\n}
export declare function $out(text: string | number): void;
export declare function include<K extends keyof Models>(name: K, model: Models[K]): string;
export declare const icon: Helpers['icon'];
export declare const url: Helpers['url'];
export declare const format: Helpers['format'];
export declare const charts: Helpers['charts'];
export declare const csrf: string;
`;
}

function runCompiler(out: string): ViewProblem[] {
  const bin = path.join(path.dirname(createRequire(import.meta.url).resolve('typescript/package.json')), 'bin/tsc');
  const run = spawnSync(process.execPath, [bin, '-p', out, '--pretty', 'false'], { cwd: out, encoding: 'utf8', maxBuffer: 1e8 });
  const problems: ViewProblem[] = [];
  for (const text of run.stdout.split('\n')) {
    const match = /^(.+?)\((\d+),\d+\): error (TS\d+: .*)$/.exec(text);
    if (!match) continue;
    const file = path.resolve(out, match[1]!);
    const relative = path.relative(out, file).replaceAll('\\', '/');
    // mistakes in the models themselves belong to the project's own check
    if (!relative.startsWith('..'))
      problems.push({ view: relative.replace(/\.js$/, ''), line: Math.max(1, Number(match[2]) - HEAD_LINES), message: match[3]! });
  }
  if (run.status !== 0 && problems.length === 0 && !/error TS/.test(run.stdout))
    throw new Error(`the compiler did not run: ${run.stdout}${run.stderr}`);
  return problems;
}

if (process.argv[1] && import.meta.url === pathToFileURL(process.argv[1]).href) {
  const problems = checkViews();
  for (const p of problems) console.error(`views/${p.view}.eta:${p.line}  ${p.message}`);
  console.log(problems.length === 0 ? 'All views fit their models.' : `${problems.length} problems in the views.`);
  process.exitCode = problems.length === 0 ? 0 : 1;
}
