import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { checkViews } from '../../scripts/views.ts';
import { createViews, escape } from './views.ts';

describe('the views', () => {
  test('fit their models, and hold nothing that the content security policy would stop', () => {
    assert.deepEqual(
      checkViews().map((p) => `views/${p.view}.eta:${p.line}  ${p.message}`),
      [],
    );
  });

  test('the check itself finds what it is for, at the right line', () => {
    const model = '<% /* @type {import("../../node/web/models/shell.ts").ToastPart} */ %>\n';
    const found = checkViews({
      'wrong/misspelt': `${model}<p><%= it.toast.txet %></p>`,
      'wrong/nullable': `<% /* @type {import("../../node/web/models/overview.ts").HeroView} */ %>\n\n<p><%= it.doneIn %></p>`,
      'wrong/include': `${model}<p>\n<%~ include('/shared/_toast', { toats: it.toast }) %></p>`,
      'wrong/unknown': `${model}<%~ include('/shared/_taost', it) %>`,
      'wrong/raw': `${model}<%~ it.toast.text %>`,
      'wrong/style': `${model}<p style="color:red">`,
      'wrong/handler': `${model}<p onclick="x()">`,
      'wrong/script': `${model}<script>x()</script>`,
      'wrong/unquoted': `${model}<p title=<%= it.toast.text %>>`,
      'wrong/address': `${model}<a href="<%= it.toast.text %>">x</a>`,
    }).filter((p) => p.view.startsWith('wrong/'));
    const lines = Object.fromEntries(found.map((p) => [p.view.slice(6), p.line]));
    assert.deepEqual(lines, {
      misspelt: 2,
      nullable: 3,
      include: 3,
      unknown: 2,
      raw: 2,
      style: 2,
      handler: 2,
      script: 2,
      unquoted: 2,
      address: 2,
    });
  });
});

describe('printing', () => {
  test('escapes for text and quoted attributes', () => {
    assert.equal(escape(`<b title="x" id='y'>&`), '&lt;b title=&quot;x&quot; id=&#39;y&#39;&gt;&amp;');
  });

  test('undefined and null are an error in tests and nothing in front of people', () => {
    const options = { icons: '/i.svg', csrf: 'mark' };
    const broken = { toast: { tone: 'note', text: undefined } };
    assert.throws(() => createViews({ ...options, strict: true }).render('shared/_toast', broken), /printed undefined/);
    assert.match(createViews({ ...options, strict: false }).render('shared/_toast', broken), /<span><\/span>/);
  });

  test('names full of markup, right-to-left marks and ten thousand letters make no element and no attribute', () => {
    const views = createViews({ strict: true, icons: '/i.svg', csrf: 'mark' });
    const evil = `"><img src=x onerror=alert(1)>' onmouseover='x\u202e<script>\u{1F4A9}${'x'.repeat(10_000)}`;
    const now = {
      id: 7,
      title: evil,
      stage: evil,
      stageIcon: 'x',
      left: evil,
      percent: 12.5,
      percentText: '12.5',
      rate: evil,
      before: evil,
      after: evil,
      paused: false,
    };
    const job = { ...now, detail: evil, format: evil, tone: 'amber', target: 'HEVC', where: evil, cancelling: false };
    const node = {
      id: evil,
      name: evil,
      coordinator: true,
      state: 'on',
      note: evil,
      hardware: evil,
      slots: 2,
      busy: 1,
      encoders: [evil],
      meters: [{ label: evil, percent: 3 }],
    };
    const texts = [
      views.render('shared/_job', { job }),
      views.render('shared/_node', { node }),
      views.render('shared/_toast', { toast: { tone: 'error', text: evil } }),
      views.render('overview/_look', { items: [{ tone: 'bad', title: evil, text: evil, href: '/queue' }] }),
      views.render('overview/_next', {
        waiting: 1,
        order: evil,
        jobs: [{ id: 1, title: evil, detail: evil, library: evil, format: evil, tone: 'blue', size: '1', saving: '1' }],
      }),
    ];
    for (const html of texts) {
      // not doesNotMatch: it would print ten thousand letters
      assert.ok(!/<img|<script|onmouseover='/.test(html));
      assert.ok(html.includes('&lt;img src=x onerror=alert(1)&gt;'));
    }
  });
});

test('of a long list of things that need a look the first are shown, and the rest unfolds', () => {
  const views = createViews({ strict: true, icons: '/static/icons.svg', csrf: 'the-token' });
  const items = (many: number) =>
    Array.from({ length: many }, (_, i) => ({ tone: 'warn', title: `thing ${i}`, text: 'It needs a person.', href: '/queue' }));
  assert.doesNotMatch(views.render('overview/_look', { items: items(8) }), /<details/);
  const [shown, folded] = views.render('overview/_look', { items: items(12) }).split('<details');
  assert.equal(shown!.match(/<li>/g)!.length, 6);
  assert.match(folded!, /6 more/);
  assert.equal(folded!.match(/<li>/g)!.length, 6);
});
