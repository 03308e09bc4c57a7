import assert from 'node:assert/strict';

/** What a monitoring program reads from /metrics, parsed as strictly as it does. */
export interface Exposed {
  type: string;
  help: string;
  samples: { name: string; labels: Record<string, string>; value: number }[];
}

/**
 * Prometheus' text format 0.0.4, or OpenMetrics. Fails on a sample without its TYPE and HELP, on one that is there twice, on a
 * name or a label that none may have, on a histogram that does not add up, and in OpenMetrics on everything after its end.
 */
export function readExposition(text: string, openMetrics = false): Map<string, Exposed> {
  const families = new Map<string, Exposed>();
  const seen = new Set<string>();
  const lines = text.split('\n');
  assert.equal(lines.pop(), '', 'the last line ends');
  if (openMetrics) assert.equal(lines.pop(), '# EOF');
  for (const line of lines) {
    if (line === '' && !openMetrics) continue;
    const meta = /^# (HELP|TYPE) ([a-zA-Z_:][\w:]*) (.+)$/.exec(line);
    if (meta) {
      const family = families.get(meta[2]!) ?? { type: '', help: '', samples: [] };
      const field = meta[1] === 'HELP' ? 'help' : 'type';
      assert.equal(family[field], '', `${meta[2]} has its ${field} twice`);
      family[field] = meta[3]!;
      families.set(meta[2]!, family);
      continue;
    }
    const sample = /^([a-zA-Z_:][\w:]*)(?:\{(.*)\})? (-?[\d.]+(?:e[+-]?\d+)?|[+-]Inf|NaN)$/.exec(line);
    assert.ok(sample, `not a line of metrics: ${line}`);
    const [, name = '', inside = '', value = ''] = sample;
    const family = familyOf(families, name);
    assert.ok(family, `${name} has no type`);
    assert.ok(!seen.has(`${name}{${inside}}`), `${name}{${inside}} is there twice`);
    seen.add(`${name}{${inside}}`);
    family.samples.push({ name, labels: labelsOf(inside), value: value === '+Inf' ? Infinity : Number(value) });
  }
  for (const [name, family] of families) whole(name, family);
  return families;
}

function familyOf(families: Map<string, Exposed>, name: string): Exposed | undefined {
  return families.get(name) ?? families.get(name.replace(/_(bucket|sum|count|total)$/, ''));
}

function labelsOf(inside: string): Record<string, string> {
  const labels: Record<string, string> = {};
  const rest = inside.replaceAll(/([a-zA-Z_]\w*)="((?:[^"\\\n]|\\["\\n])*)"(,|$)/g, (_, name: string, value: string) => {
    assert.ok(!(name in labels), `the label ${name} is there twice`);
    labels[name] = value;
    return '';
  });
  assert.equal(rest, '', `not labels: ${inside}`);
  return labels;
}

function whole(name: string, { type, help, samples }: Exposed): void {
  assert.ok(help.length > 0 && ['counter', 'gauge', 'histogram', 'summary'].includes(type), name);
  if (type === 'counter')
    assert.ok(
      samples.every(({ value }) => value >= 0),
      `${name} is a counter`,
    );
  if (type !== 'histogram') return;
  for (const { labels, value } of samples.filter((s) => s.name.endsWith('_count'))) {
    const same = (other: Record<string, string>): boolean => Object.entries(labels).every(([key, text]) => other[key] === text);
    const buckets = samples.filter((s) => s.name.endsWith('_bucket') && same(s.labels));
    assert.equal(buckets.at(-1)!.labels['le'], '+Inf');
    assert.equal(buckets.at(-1)!.value, value, `${name} adds up`);
    for (const [i, bucket] of buckets.entries()) assert.ok(i === 0 || bucket.value >= buckets[i - 1]!.value, `${name} only grows`);
  }
}
