import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { promisify } from 'node:util';
import { brotliCompress, constants, gzip } from 'node:zlib';
import { packageFile, programFile } from '../program.ts';

/**
 * The three files a page loads, made in memory at start and named by their content: `/static/app.<hash>.js`.
 * htmx, its event stream and our own script are ONE file on purpose: as two deferred scripts htmx initialises before
 * the extension is there in a third of all loads, and the page is never live (htmx issue 3693).
 */
export interface Assets {
  readonly js: string;
  readonly css: string;
  /** beside it, for the pages that a node serves without the cluster */
  readonly frontCss: string;
  readonly icons: string;
  readonly favicon: string;
  /** changes when any of them changes */
  readonly build: string;
  has(address: string): boolean;
  /** the file behind an address, compressed as the browser likes it; null when there is none */
  get(address: string, accepts: string): Promise<AssetResponse | null>;
}

export interface AssetResponse {
  body: Uint8Array<ArrayBuffer>;
  headers: Record<string, string>;
}

interface Asset {
  type: string;
  plain: Uint8Array<ArrayBuffer>;
  br?: Promise<Uint8Array<ArrayBuffer>>;
  gzip?: Promise<Uint8Array<ArrayBuffer>>;
}

const root = programFile('static');
const styles = ['tokens', 'base', 'layout', 'components', 'charts', 'pages', 'overview', 'nodes', 'cleanup', 'sources', 'access'];
const scripts = ['trusted', 'live', 'page'];

export async function loadAssets(): Promise<Assets> {
  const files = new Map<string, Asset>();
  const add = (name: string, extension: string, type: string, text: string): string => {
    const plain = new Uint8Array(Buffer.from(text));
    const address = `/static/${name}.${createHash('sha256').update(plain).digest('hex').slice(0, 12)}.${extension}`;
    files.set(address, { type, plain });
    return address;
  };
  const js = add('app', 'js', 'text/javascript; charset=utf-8', await bundle());
  const css = add('app', 'css', 'text/css; charset=utf-8', await stylesheet());
  const frontCss = add('front', 'css', 'text/css; charset=utf-8', minify(await readFile(path.join(root, 'css/front.css'), 'utf8')));
  const icons = add('icons', 'svg', 'image/svg+xml', await readFile(path.join(root, 'icons.svg'), 'utf8'));
  const favicon = add('favicon', 'svg', 'image/svg+xml', await readFile(path.join(root, 'favicon.svg'), 'utf8'));
  const build = createHash('sha256').update([js, css, icons].join()).digest('hex').slice(0, 12);
  return {
    js,
    css,
    frontCss,
    icons,
    favicon,
    build,
    has: (address) => files.has(address),
    get: (address, accepts) => serve(files.get(address), accepts),
  };
}

async function bundle(): Promise<string> {
  const parts = [
    packageFile('htmx.org', 'dist/htmx.min.js'),
    packageFile('htmx.org', 'dist/ext/hx-sse.min.js'),
    ...scripts.map((name) => path.join(root, 'js', `${name}.js`)),
  ];
  const texts = await Promise.all(parts.map((file) => readFile(file, 'utf8')));
  return texts.map((text) => text.replace(/^\/\/# sourceMappingURL=.*$/gm, '').replace(/^\s*\/\/ .*\n/gm, '')).join('\n;\n');
}

async function stylesheet(): Promise<string> {
  const texts = await Promise.all(styles.map((name) => readFile(path.join(root, 'css', `${name}.css`), 'utf8')));
  const layers = `@layer ${styles.join(', ')};\n`;
  return layers + texts.map(minify).join('\n');
}

/** Comments and the whitespace that means nothing. Not around `+` and `-`, which calc() needs apart, nor before `:`. */
function minify(css: string): string {
  return css
    .replace(/\/\*[\s\S]*?\*\//g, '')
    .replace(/\s+/g, ' ')
    .replace(/\s*([{};,>])\s*/g, '$1')
    .replace(/:\s+/g, ':')
    .replaceAll(';}', '}')
    .trim();
}

async function serve(asset: Asset | undefined, accepts: string): Promise<AssetResponse | null> {
  if (!asset) return null;
  const headers: Record<string, string> = {
    'Content-Type': asset.type,
    'Cache-Control': 'public, max-age=31536000, immutable',
    Vary: 'Accept-Encoding',
  };
  if (/\bbr\b/.test(accepts)) return { body: await (asset.br ??= brotli(asset.plain)), headers: { ...headers, 'Content-Encoding': 'br' } };
  if (/\bgzip\b/.test(accepts))
    return { body: await (asset.gzip ??= zip(asset.plain)), headers: { ...headers, 'Content-Encoding': 'gzip' } };
  return { body: asset.plain, headers };
}

async function brotli(plain: Uint8Array): Promise<Uint8Array<ArrayBuffer>> {
  return new Uint8Array(
    await promisify(brotliCompress)(plain, {
      params: { [constants.BROTLI_PARAM_QUALITY]: 11, [constants.BROTLI_PARAM_MODE]: constants.BROTLI_MODE_TEXT },
    }),
  );
}

async function zip(plain: Uint8Array): Promise<Uint8Array<ArrayBuffer>> {
  return new Uint8Array(await promisify(gzip)(plain, { level: 9 }));
}
