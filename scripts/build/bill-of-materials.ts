import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { repository } from '../../node/testing/tools.ts';
import { locked } from './lock.ts';
import type { Locked } from './lock.ts';

/**
 * What one executable is made of, as CycloneDX 1.6 in JSON: the parts that really are inside, with the checksums of
 * package-lock.json, so that a scanner finds known holes in them. The same inputs give the same bytes: it carries no
 * time and no number of its own, which the standard leaves open.
 * @param packages where the parts are installed, as package-lock.json names them
 */
export function billOfMaterials(options: { version: string; packages: readonly string[]; runtime: string }): string {
  const runtime = locked(`node_modules/${options.runtime}`);
  const node = { ...component(runtime), cpe: `cpe:2.3:a:nodejs:node.js:${runtime.version}:*:*:*:*:*:*:*` };
  const parts = [...options.packages.map(locked).map(component), node, postgresql()];
  const own = `pkg:generic/codecshift@${options.version}`;
  const bill = {
    $schema: 'http://cyclonedx.org/schema/bom-1.6.schema.json',
    bomFormat: 'CycloneDX',
    specVersion: '1.6',
    version: 1,
    metadata: {
      component: {
        type: 'application',
        'bom-ref': own,
        name: 'codecshift',
        version: options.version,
        licenses: [{ license: { id: 'MIT' } }],
        purl: own,
      },
    },
    components: parts,
    dependencies: [{ ref: own, dependsOn: parts.map((part) => part['bom-ref']) }],
  };
  return `${JSON.stringify(bill, null, 2)}\n`;
}

function component({ path, name, version, integrity, license }: Locked) {
  const [group, short] = name.startsWith('@') ? name.split('/') : [undefined, name];
  const purl = `pkg:npm/${name.replace('@', '%40')}@${version}`;
  return {
    type: 'library',
    // one package may be there twice in one version, below others
    'bom-ref': `${purl}#${path}`,
    ...(group ? { group } : {}),
    name: short,
    version,
    hashes: [{ alg: 'SHA-512', content: Buffer.from(integrity.replace(/^sha512-/, ''), 'base64').toString('hex') }],
    ...(license ? { licenses: [named(license)] } : {}),
    purl,
  };
}

/** Inside PGlite, whose package does not name it: its holes are listed under the name PostgreSQL. */
function postgresql() {
  const wasm = readFileSync(join(repository, 'node_modules/@electric-sql/pglite/dist/pglite.wasm'), 'latin1');
  const version = /PostgreSQL (\d+\.\d+) \(PGlite/.exec(wasm)?.[1];
  if (!version) throw new Error('PGlite does not say any more which PostgreSQL it is.');
  return {
    type: 'application',
    'bom-ref': `pkg:generic/postgresql@${version}`,
    name: 'postgresql',
    version,
    licenses: [{ license: { id: 'PostgreSQL' } }],
    purl: `pkg:generic/postgresql@${version}`,
    cpe: `cpe:2.3:a:postgresql:postgresql:${version}:*:*:*:*:*:*:*`,
  };
}

/** The standard wants a licence of SPDX's list, a combination of them, or a free name; packages write all three. */
function named(license: string): object {
  if (/ (OR|AND) /.test(license)) return { expression: license };
  return {
    license: ['MIT', 'ISC', 'Apache-2.0', 'BSD-2-Clause', 'BSD-3-Clause', '0BSD', 'Unlicense'].includes(license)
      ? { id: license }
      : { name: license },
  };
}
