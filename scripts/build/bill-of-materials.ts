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
  const parts = [...options.packages.map(locked), runtime].map(component);
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

/** The standard wants a licence of SPDX's list, a combination of them, or a free name; packages write all three. */
function named(license: string): object {
  if (/ (OR|AND) /.test(license)) return { expression: license };
  return {
    license: ['MIT', 'ISC', 'Apache-2.0', 'BSD-2-Clause', 'BSD-3-Clause', '0BSD', 'Unlicense'].includes(license)
      ? { id: license }
      : { name: license },
  };
}
