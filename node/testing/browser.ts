import { createRequire } from 'node:module';
import { readFileSync } from 'node:fs';
import type { TestContext } from 'node:test';
import { chromium, type Browser, type BrowserContext, type Page } from 'playwright-core';
import { unlessAll } from './thorough.ts';
import { findTool } from './tools.ts';

/* oxlint-disable typescript/no-explicit-any -- functions handed to a page run in the browser; the DOM's types are no part of this project */
declare const document: any;
declare const getComputedStyle: any;

/**
 * A real browser for tests of the pages. The system's Chromium, or the one CHROMIUM_PATH names, or the one that npm
 * brought (@sparticuz/chromium: it needs no package of the system). One process serves a whole test file.
 */
export interface TestBrowser {
  /** A page of its own with empty cookies; it fails the test on any console error, page error or CSP violation. */
  open(t: TestContext, options?: OpenOptions): Promise<Page>;
  close(): Promise<void>;
}

export interface OpenOptions {
  width?: number;
  height?: number;
  theme?: 'light' | 'dark';
  javaScript?: boolean;
  /** text of console errors that this test provokes on purpose */
  allow?: RegExp;
}

/** For the `skip` of a test of every theme at every width: each is tried once in every run, the other two pairs with --all. */
export function pairForAll(theme: 'light' | 'dark', width: number): string | false {
  return (theme === 'light') === (width === 1440) ? false : unlessAll;
}

const flags = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
  // a test's server listens on 127.0.0.1, and at the same port of ::1, which is tried first, another program may have a mesh
  '--host-resolver-rules=MAP localhost 127.0.0.1',
];

export async function launchBrowser(): Promise<TestBrowser> {
  const browser = await chromium.launch({ executablePath: await locate(), args: flags, timeout: 120_000 });
  return { open: (t, options) => open(browser, t, options), close: () => ended(browser.close()) };
}

/**
 * A renderer that hangs under load must not hang the test run. The timer holds the program awake on purpose: a close whose
 * pipe is gone already holds nothing, and Node would end in the middle of the wait and call that a failure.
 */
async function ended(closing: Promise<void>): Promise<void> {
  const patience = Promise.withResolvers<void>();
  const timer = setTimeout(patience.resolve, 20_000);
  await Promise.race([closing, patience.promise]).finally(() => clearTimeout(timer));
}

async function locate(): Promise<string> {
  const wished = process.env['CHROMIUM_PATH'] ?? findTool('chromium');
  if (wished) return wished;
  // Not with the flags that it proposes: they switch web security off, which is half of what is tested here.
  const { default: bundled } = await import('@sparticuz/chromium');
  return bundled.executablePath();
}

async function open(browser: Browser, t: TestContext, options: OpenOptions = {}): Promise<Page> {
  const context = await browser.newContext({
    viewport: { width: options.width ?? 1440, height: options.height ?? 900 },
    colorScheme: options.theme ?? 'light',
    reducedMotion: 'reduce',
    javaScriptEnabled: options.javaScript ?? true,
  });
  context.setDefaultTimeout(60_000);
  const faults = await watch(context, options.allow);
  t.after(async () => {
    // what a test answers in place of the server may be under way still, and that its page closes is no fault of it
    const free = Promise.all(context.pages().map((page) => page.unrouteAll({ behavior: 'ignoreErrors' })));
    await ended(free.then(() => context.close()));
    if (faults.length > 0) throw new Error(`the page complained:\n${faults.join('\n')}`);
  });
  return context.newPage();
}

/** A test's server may stop a moment before its page; a page that lost its server in the middle fails the test anyway. */
const serverGone = /net::ERR_(CONNECTION_REFUSED|INCOMPLETE_CHUNKED_ENCODING|CONNECTION_RESET|EMPTY_RESPONSE)|Failed to fetch/;

/** Everything a page must not do, gathered until the test ends. */
async function watch(context: BrowserContext, allow: RegExp | undefined): Promise<string[]> {
  const faults: string[] = [];
  const note = (text: string): void => {
    if (!allow?.test(text) && !serverGone.test(text)) faults.push(text);
  };
  context.on('console', (message) => {
    if (message.type() === 'error' || /content security policy|trusted ?type/i.test(message.text()))
      note(`console: ${message.text()} (${message.location().url})`);
  });
  context.on('weberror', (error) => note(`page error: ${error.error().message}`));
  await context.addInitScript(() => {
    document.addEventListener('securitypolicyviolation', (e: any) =>
      console.error(`CSP violation: ${e.violatedDirective} ${e.blockedURI} ${e.sample}`),
    );
  });
  return faults;
}

/** Waits until the page's stream has connected and delivered its snapshot. */
export async function waitLive(page: Page): Promise<void> {
  await page.waitForFunction(() => document.documentElement.dataset['live'] === 'live');
}

export interface Violation {
  id: string;
  help: string;
  nodes: string[];
}

/** axe-core over the whole page; injected by the debugger, which the page's CSP does not stop. */
export async function accessibilityProblems(page: Page): Promise<Violation[]> {
  const source = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
  await page.evaluate(source);
  return page.evaluate(async () => {
    const { axe } = globalThis as unknown as {
      axe: {
        run(
          node: unknown,
          options: object,
        ): Promise<{ violations: { id: string; help: string; nodes: { html: string; failureSummary?: string }[] }[] }>;
      };
    };
    const result = await axe.run(document, {
      runOnly: { type: 'tag', values: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'] },
    });
    return result.violations.map((v) => ({
      id: v.id,
      help: v.help,
      nodes: v.nodes.map((n) => `${n.html} ${n.failureSummary ?? ''}`.slice(0, 400)),
    }));
  });
}

/** How many pixels the page is wider than its window, and the first elements that stick out. */
export async function overflow(page: Page): Promise<{ pixels: number; elements: string[] }> {
  return page.evaluate(() => {
    const width = document.documentElement.clientWidth;
    const out = [...document.querySelectorAll('body *')].filter((e: any) => {
      const box = e.getBoundingClientRect();
      return box.width > 0 && (box.right > width + 1 || box.left < -1) && getComputedStyle(e).position !== 'fixed';
    });
    return {
      pixels: document.documentElement.scrollWidth - width,
      elements: out.slice(0, 5).map((e) => `${e.tagName}.${e.getAttribute('class')} ${Math.round(e.getBoundingClientRect().right)}`),
    };
  });
}
