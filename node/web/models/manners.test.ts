import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { defaultManners } from '../../core/manner-wishes.ts';
import { runningNow, type RunningFacts } from './running.ts';
import { stateWords, type JobFacts } from './job.ts';
import { mannersForm, readMannersForm } from './manners-form.ts';
import { mannersFacts, mannersInWords } from './node-manners.ts';
import { nodeCard, type NodeFacts } from './node.ts';

const now = new Date('2026-11-23T12:00:00Z');
const reason = { code: 'on-battery', params: { percent: 64 } } as const;
const conduct = { does: 'pause', atOnce: null, reason, onBattery: true, batteryPercent: 64, celsius: 61.6, lacks: ['No temperature.'] };
const node: NodeFacts = {
  ...{ id: 'n', name: 'laptop', platform: 'linux x64', version: '1', paused: false, draining: false, schedule: [], utcOffset: 0 },
  ...{ encoders: [], hardware: {}, metrics: {}, slots: 2, lastSeenAt: now },
};
const card = (told: unknown, busy = 1, change: Partial<NodeFacts> = {}, away = false) => {
  const { state, note } = nodeCard({ ...node, ...change, metrics: { conduct: told } }, busy, false, away, now);
  return [state, note];
};

describe('a machine that holds back', () => {
  test('says on its card why, and when it goes on, however much it runs', () => {
    const sentence = 'Paused: on battery (64 %). Goes on when plugged in.';
    assert.deepEqual(card(conduct), ['rest', sentence]);
    assert.deepEqual(card(conduct, 0), ['rest', sentence]);
    assert.deepEqual(card(conduct, 1, { paused: true }), ['rest', 'Paused: what it runs stands still'], 'a person’s pause comes first');
    assert.match(String(card(conduct, 1, {}, true)), /^away,Last heard/);
  });

  test('with one encode at once still works, and outside its hours it rests as before', () => {
    const shared = { does: 'run', atOnce: 1, reason: { code: 'machine-shared', params: { minutes: 5 } } };
    assert.match(String(card(shared)), /^on,Only one encode at once/);
    assert.match(String(card(shared, 0)), /^idle,Only one encode at once/);
    const hours = { does: 'begin-nothing', atOnce: null, reason: { code: 'finishing-hours', params: { hours: 'every day' } } };
    const schedule = [{ days: [6], from: '00:00', to: '00:00' }];
    assert.deepEqual(card(hours, 0, { schedule }), ['rest', 'Resting until Sat 00:00']);
    assert.deepEqual(card({}), ['on', '']);
  });

  test('says what it feels and what it cannot, and nothing while it is away', () => {
    assert.deepEqual(
      mannersFacts({ batteryBelow: 30 }, conduct).map((f) => `${f.label}: ${f.value}`),
      [
        'Consideration: Pauses on battery below 30 %, when hot; a little behind other programs',
        'Power: On battery, 64 %',
        'Temperature: 62 °C',
        'Not felt here: No temperature.',
      ],
    );
    assert.deepEqual(mannersFacts({}, null), [], 'what every machine does needs no word');
    assert.deepEqual(mannersFacts('nonsense', { onBattery: 'x', celsius: 'y', lacks: 5 }), []);
    const own = {
      ...defaultManners,
      onBattery: 'run',
      whenHot: 'run',
      whenUsed: 'fewer',
      niceness: 'idle',
      coresFree: 2,
      keepAwake: false,
    } as const;
    assert.equal(
      mannersInWords(own),
      'Never pauses by itself; one encode while used; only what nobody else needs; 2 processors left free; not kept awake',
    );
  });
});

describe('a job that is held back', () => {
  const facts: RunningFacts = {
    ...{ id: 1, title: 'Film', detail: '', codec: 'h264', width: 1, height: 1, action: 'transcode', inputBytes: 2, expectedBytes: 1 },
    ...{ outputBytes: null, paused: false, cancelRequested: false, attemptState: 'running', nodeName: 'laptop', encoder: null },
  };
  const progress = {
    ...({ jobId: 1, attemptId: 1, nodeId: 'n', phase: 'encoding', percent: 40, fps: null, speed: null, leftMs: 5 } as const),
    ...{ outputBytes: null, expectedBytes: null, paused: true },
  };

  test('says why in its row; a person’s own pause needs no reason', () => {
    assert.equal(runningNow(facts, { ...progress, why: reason }).stage, 'Paused: on battery');
    assert.equal(runningNow({ ...facts, paused: true }, { ...progress, why: reason }).stage, 'Paused');
    assert.equal(runningNow(facts, progress).stage, 'Paused');
    assert.equal(runningNow(facts, { ...progress, paused: false, why: null }).stage, '');
  });

  test('says on its page why and when it goes on', () => {
    const job: JobFacts = {
      ...({ state: 'running', outcome: null, paused: false, cancelRequested: false, retryAt: null, failures: 0, maxFailures: 3 } as const),
      ...({ priority: 'normal', reason: null, nodeName: 'laptop', attemptState: 'running', trashUntil: null, queuePaused: false } as const),
    };
    assert.deepEqual(stateWords({ ...job, heldBack: reason }, now), {
      ...{ word: 'Paused', tone: 'quiet' },
      next: 'Paused: on battery (64 %). Goes on when plugged in. What is encoded so far is kept on laptop.',
    });
    assert.equal(stateWords({ ...job, heldBack: reason, attemptState: 'verifying' }, now).word, 'Checking', 'that its machine does not do');
  });
});

describe('the form of manners', () => {
  const typed = (fields: Record<string, string>) => readMannersForm(new URLSearchParams(fields));
  const whole = {
    ...{ onBattery: 'below', batteryBelow: '40', whenHot: 'above', hotAbove: '80', whenUsed: 'pause', idleMinutes: '7' },
    ...{ niceness: 'idle', coresFree: '', afterHours: 'finish', keepAwake: 'on' },
  };

  test('says every wish, and a number only where it means something', () => {
    const { manners } = typed(whole);
    assert.deepEqual(manners, {
      ...{ onBattery: 'pause', batteryBelow: 40, whenHot: 'pause', hotAbove: 80, whenUsed: 'pause', idleMinutes: 7 },
      ...{ niceness: 'idle', coresFree: 0, afterHours: 'finish', keepAwake: true },
    });
    const plain = typed({ ...whole, onBattery: 'pause', whenHot: 'pause', batteryBelow: 'x', hotAbove: '' }).manners;
    assert.deepEqual([plain?.batteryBelow, plain?.hotAbove], [100, null]);
    assert.equal('idleMinutes' in (typed({ ...whole, whenUsed: 'run', idleMinutes: 'x' }).manners ?? {}), false);
  });

  test('of a page from before this version changes nothing', () => {
    assert.deepEqual(typed({ slots: '2' }), { manners: {}, fields: typed({}).fields, problems: [] });
  });

  test('gives back what was typed beside what is wrong with it', () => {
    const wrong = typed({ ...whole, hotAbove: '900', niceness: 'rude' });
    assert.deepEqual([wrong.manners, wrong.problems.map((p) => p.id)], [null, ['f-hotAbove', 'f-niceness']]);
    const form = mannersForm({}, 'linux x64', wrong);
    const hot = form.choices.find((c) => c.name === 'whenHot');
    assert.deepEqual([hot?.number?.value, hot?.options.find((o) => o.chosen)?.value], ['900', 'above']);
    assert.match(hot?.number?.problem ?? '', /40 to 120 degrees/);
  });

  test('shows what is stored, and processors only where they can be left free', () => {
    const form = mannersForm({ batteryBelow: 30, hotAbove: 75, keepAwake: false }, 'darwin arm64', null);
    const chosen = Object.fromEntries(form.choices.map((c) => [c.name, c.options.find((o) => o.chosen)?.value]));
    assert.deepEqual(chosen, { onBattery: 'below', whenHot: 'above', whenUsed: 'run', niceness: 'low', afterHours: 'finish' });
    assert.deepEqual([form.keepAwake, form.coresFree], [false, null]);
    assert.notEqual(mannersForm({}, 'Linux x64', null).coresFree, null);
  });
});
