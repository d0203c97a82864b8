// The annotations of Fluent Bit, as one container's streams see them.

import { describe, expect, test } from 'vitest';
import { agentWishes } from '../../src/tail/agent-annotations.ts';
import { ReadingRules } from '../../src/tail/reading-rules.ts';
import { makeConfig } from '../support/make-config.ts';

const names = { namespace: 'shop', pod: 'web-0', container: 'app' };
const parser = 'fluentbit.io/parser';
const exclude = 'fluentbit.io/exclude';

/** The formats by stream; `*` is both. */
function formatsOf(annotations: Record<string, string>): Record<string, string | undefined> {
  const { steps } = agentWishes(annotations, 'app');
  return Object.fromEntries(
    steps.map(({ stream = '*', parse }) => [stream, parse?.[0]?.format ?? 'drop']),
  );
}

describe('agentWishes()', () => {
  test.each([
    [{ [parser]: 'logfmt' }, { '*': 'logfmt' }],
    [{ [parser]: 'apache2' }, { '*': 'apache' }],
    [{ [parser]: 'k8s-nginx-ingress' }, { '*': 'nginx' }],
    [{ [parser]: 'syslog-rfc5424' }, { '*': 'syslog' }],
    [{ [parser]: 'json' }, {}],
    [{ [parser]: 'docker' }, {}],
    [{ [`${parser}_stdout`]: 'nginx' }, { stdout: 'nginx' }],
    [
      { [`${parser}_stdout-app`]: 'nginx', [parser]: 'logfmt' },
      { stdout: 'nginx', stderr: 'logfmt' },
    ],
    [{ [`${parser}_stdout-app`]: 'nginx', [`${parser}_stderr-app`]: 'json' }, { stdout: 'nginx' }],
    [{ [`${parser}-app`]: 'logfmt', [parser]: 'nginx' }, { '*': 'logfmt' }],
    [{ [`${parser}_stdout-other`]: 'nginx' }, {}],
    [{ [parser]: '' }, {}],
    [{ [`${exclude}_stderr`]: 'true' }, { stderr: 'drop' }],
    [
      { [`${exclude}_stderr-app`]: 'true', [parser]: 'logfmt' },
      { stderr: 'drop', '*': 'logfmt' },
    ],
  ])('with %j', (annotations, formats) => {
    expect(formatsOf(annotations)).toEqual(formats);
  });

  test.each([
    [{ [exclude]: 'true' }, true],
    [{ [exclude]: 'false' }, false],
    [{ [`${exclude}-app`]: 'true' }, true],
    [{ [`${exclude}-other`]: 'true' }, false],
    [{ [exclude]: 'true', [`${exclude}-app`]: 'false' }, false],
    [{ [`${exclude}_stdout`]: 'true', [`${exclude}_stderr`]: 'on' }, true],
  ])('with %j is excluded: %s', (annotations, isExcluded) => {
    expect(agentWishes(annotations, 'app').isExcluded).toBe(isExcluded);
  });

  test.each(['mine', '__proto__', 'constructor', 'x'.repeat(900)])('%s is unknown', (name) => {
    expect(agentWishes({ [parser]: name }, 'app')).toEqual({
      isExcluded: false,
      steps: [],
      unknownParser: name,
    });
  });
});

describe('ReadingRules', () => {
  const annotations = { [parser]: 'logfmt', [`${exclude}-sidecar`]: 'true' };

  test('take them only where the operator wants it', () => {
    const off = new ReadingRules(makeConfig({ exclude: ['other'] })).of(names, () => ({
      annotations,
    }));
    expect(off.records).toBeUndefined();
    const on = new ReadingRules(makeConfig({ podAnnotations: true })).of(names, () => ({
      annotations,
    }));
    expect(on.records?.steps).toContain('"logfmt"');
    expect(on.isExcluded).toBe(false);
  });
});
