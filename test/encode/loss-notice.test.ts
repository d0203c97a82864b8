import { describe, expect, test } from 'vitest';
import { restoreTemplate } from '../../src/encode/entries/entry-template.ts';
import { lossBody } from '../../src/encode/entries/loss-notice.ts';

describe('lossBody()', () => {
  test('says how much a rate limit holds back, and calls none of it lost', () => {
    const place = { project: 'p', cluster: 'c', location: 'l', node: 'n' };
    const template = restoreTemplate(place, {
      resource: '{"type":"k8s_container"}',
      labels: '"k8s-pod/app":"web"',
    });
    const body = lossBody(place, [
      {
        template,
        path: '/var/log/pods/shop_web-0_uid/app/0.log',
        idPrefix: 'a'.repeat(22),
        reason: 'rate_limit',
        offset: 36,
        bytes: 70_000,
        atMs: 0,
      },
    ]);
    const { entries } = JSON.parse(Buffer.from(body).toString()) as { entries: unknown[] };
    expect(entries).toEqual([
      {
        resource: { type: 'k8s_container' },
        labels: { 'k8s-pod/app': 'web' },
        insertId: `${'a'.repeat(22)}00000010h1i0g`,
        timestamp: '1970-01-01T00:00:00.000Z',
        severity: 'WARNING',
        logName: 'projects/p/logs/stderr',
        jsonPayload: {
          message: expect.stringMatching(/^tailship holds back 70000 bytes .* rate limit$/),
          heldBackBytes: 70_000,
          file: '0.log',
          offset: 36,
          reason: 'rate_limit',
        },
      },
    ]);
  });
});
