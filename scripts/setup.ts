import { spawnSync } from 'node:child_process';
import { findSystemTool, findTool } from '../node/testing/tools.ts';
import type { Tool } from '../node/testing/tools.ts';

/**
 * Makes ready what the tests need beside npm's packages: ffmpeg, a browser and a PostgreSQL server. On a Debian-like
 * system where we are root the missing ones are installed; elsewhere the packages that npm brought take their place,
 * and what remains missing is named together with the tests that will be skipped. Never fails the run.
 */
interface Need {
  tool: Tool;
  package: string;
  /** what stands in for it when it can't be installed */
  otherwise: string;
}

const needs: Need[] = [
  { tool: 'ffmpeg', package: 'ffmpeg', otherwise: 'tests that encode will be skipped' },
  { tool: 'ffprobe', package: 'ffmpeg', otherwise: 'tests that read films will be skipped' },
  { tool: 'chromium', package: 'chromium-headless-shell', otherwise: 'the browser that npm brought is used where it can run' },
  {
    tool: 'postgres',
    package: 'postgresql',
    otherwise: 'tests on an external PostgreSQL will be skipped; the embedded database is still tested',
  },
];

// Where we can install, the system's own is preferred over the copy that npm brought.
const find = canInstall() ? findSystemTool : findTool;
const missing = needs.filter((need) => find(need.tool) === null);
if (missing.length > 0) provide(missing);

function provide(wanted: Need[]): void {
  const packages = [...new Set(wanted.map((need) => need.package))];
  if (canInstall()) install(packages);
  else console.log(`Not installed: ${packages.join(', ')}. On Debian or Ubuntu: sudo apt-get install ${packages.join(' ')}`);
  for (const need of wanted) if (findTool(need.tool) === null) console.log(`No ${need.tool}: ${need.otherwise}.`);
}

function canInstall(): boolean {
  return process.getuid?.() === 0 && spawnSync('apt-get', ['--version'], { stdio: 'ignore' }).status === 0;
}

function install(packages: string[]): void {
  console.log(`Installing for the tests: ${packages.join(', ')}`);
  // Debian's postgresql package starts a server of its own unless told otherwise; the tests start theirs on a free port.
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive', RUNLEVEL: '1' };
  const options = { stdio: ['ignore', 'ignore', 'inherit'] as ['ignore', 'ignore', 'inherit'], env, timeout: 10 * 60_000 };
  const updated = spawnSync('apt-get', ['update', '-q'], options);
  // One package that cannot be had must not keep the others away.
  const together = updated.status === 0 ? aptInstall(packages) : false;
  // Ubuntu and older Debians have no shell without a window, but perhaps the whole browser.
  if (!together) for (const one of packages) if (!aptInstall([one]) && one.startsWith('chromium')) aptInstall(['chromium']);

  function aptInstall(names: string[]): boolean {
    return spawnSync('apt-get', ['install', '-y', '-q', '--no-install-recommends', ...names], options).status === 0;
  }
}
