import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { Validator } from '@seriousme/openapi-schema-validator';
import * as v from 'valibot';
import { member, startFront } from '../../testing/front.ts';
import { emptyBooks, webParts } from '../../testing/web.ts';
import { rightOf } from '../auth/rights.ts';
import { createApp } from '../server.ts';
import { apiRoutes, base, documentOf } from './all.ts';
import { isMedia, type Schema } from './declare.ts';
import { machineApi } from './machine.ts';
import { errorsOf, scopesFor } from './openapi.ts';

describe('the document of the API', () => {
  const document = documentOf('1.2.3');

  test('is made once and not for everybody who asks: it takes long, and leases wait meanwhile', () => {
    assert.equal(documentOf('1.2.3'), document);
    assert.equal(documentOf('1.2.4').info.version, '1.2.4');
  });

  test('is OpenAPI 3.1', async () => {
    const validator = new Validator();
    const { valid, errors } = await validator.validate(structuredClone(document) as unknown as Record<string, unknown>);
    assert.equal(valid, true, JSON.stringify(errors)?.slice(0, 2000));
    assert.equal(validator.version, '3.1');
  });

  test('names every route that there is, and no other', async () => {
    const made = await createApp(webParts({ db: emptyBooks }).parts);
    const real = made.app.routes
      .filter(({ method, path }) => method !== 'ALL' && path.startsWith(`${base}/`))
      .map(({ method, path }) => `${method} ${path.replace(/:(\w+)/g, '{$1}')}`);
    made.stop();
    // the front of every machine answers this by itself
    real.push(...machineApi.map(({ method, path }) => `${method} ${base}${path}`));
    const written = Object.entries(document.paths).flatMap(([path, methods]) =>
      Object.keys(methods).map((method) => `${method.toUpperCase()} ${path}`),
    );
    assert.deepEqual([...written].sort(), [...real].sort());
    assert.ok(written.length > 90);
  });

  test('says truly what the front of a machine answers', async (t) => {
    const front = await startFront(t, 'tower', { standing: member(null) });
    const answer = await fetch(`${front.url}${base}/node`, { headers: { authorization: `Bearer ${front.secret}` } });
    assert.deepEqual(v.safeParse(machineApi[0]!.answer as Schema, await answer.json()).issues, undefined);
  });

  test('says of every route what it does, who may, what it answers and what an error looks like', () => {
    for (const route of apiRoutes) {
      const name = `${route.method} ${route.path}`;
      const operation = document.paths[base + route.path.replace(/:(\w+)/g, '{$1}')]![route.method.toLowerCase()]!;
      assert.equal(rightOf(route.method, base + route.path), route.right, name);
      assert.match(operation.summary, /^[A-Z].{9,}\.$/, name);
      assert.ok(operation.description.length > 10, name);
      if (route.right !== 'host') assert.deepEqual(operation.security, [{ token: scopesFor(route.right) }], name);
      if (route.right !== 'host') assert.ok(scopesFor(route.right).includes('admin'), name);
      assert.equal((operation.parameters ?? []).filter((p) => p.in === 'path').length, Object.keys(route.params).length, name);
      const content = operation.responses[route.status]!.content!;
      assert.ok(isMedia(route.answer) ? content[route.answer.media] : content['application/json']!.schema, name);
      for (const status of errorsOf(route)) {
        const told = operation.responses[status]!.content!['application/json']!.example as { error: { status: number; message: string } };
        assert.equal(told.error.status, status, name);
        assert.ok(told.error.message.length > 10, name);
      }
      assert.ok(
        [401, 403, 500, 503].every((status) => operation.responses[status]),
        name,
      );
    }
  });

  test('has a name of its own for every operation, and no reference that leads nowhere', () => {
    const ids = Object.values(document.paths).flatMap((methods) => Object.values(methods).map((o) => o.operationId));
    assert.equal(new Set(ids).size, ids.length);
    const text = JSON.stringify(document);
    const references = [...text.matchAll(/"\$ref":"#\/components\/schemas\/(\w+)"/g)].map((match) => match[1]!);
    assert.deepEqual(
      [...new Set(references)].filter((name) => !(name in document.components.schemas)),
      [],
    );
    assert.ok(references.includes('Job') && references.includes('Reason'));
  });

  test('leaves room for further fields in answers, and none in what is sent', () => {
    const sent = document.paths[`${base}/scan`]!['post']!.requestBody!.content['application/json']!.schema;
    assert.equal((sent as { additionalProperties?: boolean }).additionalProperties, false);
    assert.equal(JSON.stringify(document.components.schemas).includes('"additionalProperties":false'), false);
  });
});
