import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { repository } from '../tools.ts';
import { checkComposeFile } from './compose-file.ts';
import { checkDockerfile } from './dockerfile.ts';
import { validate } from './json-schema.ts';
import { variablesIn, withDefaults } from './variables.ts';

// The containers are checked without an engine: on a machine that has one, `docker compose config -q` says the rest.

const files = [
  'docker-compose.yml',
  'docker-compose.worker.yml',
  'docker-compose.nas.yml',
  'Dockerfile',
  '.dockerignore',
  '.env.example',
  'package.json',
  'package-lock.json',
  'LICENSE',
];

describe('the files as they are', () => {
  for (const name of ['docker-compose.yml', 'docker-compose.worker.yml', 'docker-compose.nas.yml']) {
    test(`${name} fits the specification, and everything it names is there`, () => {
      assert.deepEqual(checkComposeFile(repository, name), []);
    });
  }
  test('the file for a NAS asks for no mount that the volume of a NAS cannot give', () => {
    const text = withDefaults(readFileSync(path.join(repository, 'docker-compose.nas.yml'), 'utf8'));
    assert.match(text, /propagation: rprivate\n/);
    assert.match(readFileSync(path.join(repository, '.env.example'), 'utf8'), /^MEDIA_PROPAGATION=rprivate$/m);
  });
  test('Dockerfile copies what is there and keeps what it promises', () => {
    assert.deepEqual(checkDockerfile(repository), []);
  });
});

describe('a mistake is found and named', () => {
  let copy: string;
  before(() => {
    copy = mkdtempSync(path.join(tmpdir(), 'codecshift-compose-'));
    for (const directory of ['node', 'views', 'static', 'migrations', 'scripts'])
      symlinkSync(path.join(repository, directory), path.join(copy, directory));
  });
  after(() => rmSync(copy, { recursive: true }));

  function wrong(name: string, from: string, to: string): string[] {
    for (const file of files) cpSync(path.join(repository, file), path.join(copy, file));
    const text = readFileSync(path.join(copy, name), 'utf8');
    assert.ok(text.includes(from), `${name} holds ${from}`);
    writeFileSync(path.join(copy, name), text.replace(from, to));
    return name.endsWith('.yml') ? checkComposeFile(copy, name) : checkDockerfile(copy);
  }

  const compose = 'docker-compose.yml';
  const worker = 'docker-compose.worker.yml';
  const cases: [file: string, from: string, to: string, problem: RegExp][] = [
    // the shape
    [compose, '  network_mode: host', '  network-mode: host', /services\.node\.network-mode: is not known here/],
    [compose, 'retries: 20', 'retries: [20]', /healthcheck\.retries: must be/],
    [compose, 'profiles: [cpu]', 'profiles: cpu', /services\.node\.profiles: must be array/],
    [compose, 'count: all', 'count: [1]', /devices.*count: must be/],
    [compose, 'cap_drop: [ALL]', 'cap_drop: [ALL, ALL]', /cap_drop: names something twice/],
    [compose, 'services:\n', 'services:\n  postgres: {}\n', /Map keys must be unique/],
    // what it names
    [compose, '- node-data:/data', '- nod-data:/data', /services\.node: volume nod-data is not defined/],
    [compose, '  secrets:\n    - database_url', '  secrets:\n    - data_url', /secret data_url is not defined/],
    [compose, '  secrets:\n    - database_url\n', '', /DATABASE_URL_FILE reads .* but the secret is not given to it/],
    [compose, '    postgres:\n      condition', '    postgress:\n      condition', /depends on postgress, which is not there/],
    [compose, '    image: postgres:18-bookworm', '    image: postgres:latest', /postgres:latest is not pinned/],
    [
      compose,
      '    shm_size: 256mb',
      '    profiles: [cpu]',
      /services\.node-nvidia: depends on postgres, which is not in the profile nvidia/,
    ],
    [compose, '  build: .', '  build: ./docker', /there is no \.\/docker\/Dockerfile/],
    [compose, '  network_mode: host', '  network_mode: host\n  ports: ["8265:8265"]', /ports have no meaning/],
    [compose, 'profiles: [vaapi]', 'profiles: [vaapi, cpu]', /profile cpu starts 2 nodes/],
    [compose, '    profiles: [nvidia]\n', '', /services\.node-nvidia: starts in every profile/],
    [compose, 'volumes:\n  node-data:', 'volumes:\n  old-data:\n  node-data:', /volumes\.old-data: nobody uses it/],
    [compose, '  tmpfs:\n    - /tmp\n', '', /read-only and \/tmp is no volume/],
    [compose, 'file: ./secrets/postgres_password', 'file: ./password', /secrets\.postgres_password: must be a file in \.\/secrets/],
    // settings and variables
    [compose, 'CODECSHIFT_PORT: ', 'CODECSHIFT_HTTP_PORT: ', /CODECSHIFT_HTTP_PORT is no setting/],
    [compose, '${CODECSHIFT_MESH_PORT:-8266}', '${CODECSHIFT_MESH_PORT:-70000}', /CODECSHIFT_MESH_PORT must be 65533 or less/],
    [
      compose,
      'DATABASE_URL_FILE: /run/secrets/database_url',
      'DATABASE_URL: postgres://a:b@c/d',
      /DATABASE_URL is a secret: give it as DATABASE_URL_FILE/,
    ],
    [compose, 'POSTGRES_PASSWORD_FILE: /run/secrets/postgres_password', 'POSTGRES_PASSWORD: hunter2', /POSTGRES_PASSWORD shows a secret/],
    [compose, '${TZ:-UTC}', '${TIME_ZONE:-UTC}', /\$\{TIME_ZONE\} is not in \.env\.example/],
    [worker, 'CODECSHIFT_CLUSTER: join', 'CODECSHIFT_CLUSTER: joined', /CODECSHIFT_CLUSTER must be one of/],
    [worker, 'write the token to secrets/join_token', 'write the token down', /the instructions do not say how to make/],
    // the image
    ['Dockerfile', 'COPY views', 'COPPY views', /Dockerfile:\d+ COPPY is no instruction/],
    ['Dockerfile', 'COPY views ./views', 'COPY viws ./views', /viws is not there/],
    ['Dockerfile', 'COPY package.json LICENSE', 'COPY package.json LICENSE README.md', /README\.md is (not there|kept out)/],
    ['Dockerfile', '--from=deps', '--from=builder', /there is no stage builder/],
    ['Dockerfile', 'EXPOSE 8265', 'EXPOSE http', /http is no port/],
    ['Dockerfile', 'EXPOSE 8265', 'EXPOSE 8080', /does not name port 8265/],
    ['Dockerfile', '--interval=30s', '--interval=30', /--interval=30 is no option of a health check/],
    ['Dockerfile', 'USER node\n', '', /runs as root/],
    ['Dockerfile', 'npm ci --omit=dev', 'npm install --omit=dev', /does not keep to the lock file/],
    ['Dockerfile', ' --ignore-scripts', '', /runs code of packages/],
    ['Dockerfile', 'npm ci', 'npm run make && npm ci', /no npm script make/],
    ['Dockerfile', 'FROM node:26-trixie-slim\n', 'FROM node\n', /node is not pinned/],
    ['Dockerfile', 'CODECSHIFT_DATA_DIR=', 'CODECSHIFT_DATA=', /CODECSHIFT_DATA is no setting/],
    ['Dockerfile', '["node", "node/main.ts", "run"]', 'node node/main.ts run', /must be a JSON list/],
    ['Dockerfile', '"node/main.ts"', '"node/start.ts"', /starts node\/start\.ts, which is not there/],
    ['.dockerignore', '!views\n', '', /views is kept out of the build/],
  ];
  for (const [file, from, to, problem] of cases) {
    test(`${file}: ${JSON.stringify(from.trim())} as ${JSON.stringify(to.trim())}`, () => {
      const found = wrong(file, from, to);
      assert.ok(
        found.some((each) => problem.test(each)),
        `expected ${problem} in ${JSON.stringify(found, null, 1)}`,
      );
    });
  }
});

describe('the tools of this check', () => {
  test('a schema with a word that is not understood is refused, not skipped', () => {
    assert.throws(() => validate({ type: 'object', dependencies: {} }, {}), /uses dependencies/);
  });

  test('of several forms exactly one must fit', () => {
    const schema = { oneOf: [{ type: 'string' }, { type: 'object', properties: { a: { type: 'integer' } }, required: ['a'] }] };
    assert.deepEqual(validate(schema, 'x'), []);
    assert.deepEqual(validate(schema, { a: 1 }), []);
    assert.deepEqual(validate({ oneOf: [{ type: 'number' }, { type: 'integer' }] }, 1).length, 1);
    assert.deepEqual(validate({ properties: { b: schema } }, { b: { a: 'x' } }), ['b.a: must be integer, not string']);
  });

  test('variables are found with and without defaults', () => {
    assert.deepEqual(variablesIn('${A} ${B:-x} ${C:?say it} $$x ${D-}'), ['A', 'B', 'C', 'D']);
    assert.equal(withDefaults('${A}|${B:-x}|${C:?say it}|${D-}'), '|x|set-by-hand|');
  });
});

test(
  'the health check of the image says whether the program answers',
  { skip: process.platform === 'win32' && 'the image is a Linux one' },
  async (t) => {
    let healthy = true;
    let ready = true;
    const server = createServer((request, answer) =>
      answer.writeHead(request.url === '/healthz' ? (healthy ? 200 : 503) : ready ? 200 : 503).end('This machine waits.'),
    );
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    t.after(() => void server.close());
    const { port } = server.address() as AddressInfo;
    const ask = (env: Record<string, string>, ...flags: string[]): Promise<number | null> =>
      new Promise((resolve, reject) => {
        const child = spawn(process.execPath, [path.join(repository, 'scripts/healthcheck.cjs'), ...flags], {
          env: { ...process.env, ...env },
        });
        child.on('error', reject);
        child.on('exit', resolve);
      });
    assert.equal(await ask({ CODECSHIFT_PORT: String(port), CODECSHIFT_HOST: '0.0.0.0' }), 0);
    ready = false;
    assert.equal(await ask({ CODECSHIFT_PORT: String(port) }), 0, 'a machine that waits for approval is well');
    assert.equal(await ask({ CODECSHIFT_PORT: String(port) }, '--ready'), 1);
    healthy = false;
    assert.equal(await ask({ CODECSHIFT_PORT: String(port) }), 1);
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
    assert.equal(await ask({ CODECSHIFT_PORT: String(port) }), 1);
  },
);
