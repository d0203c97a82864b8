// Where the page links to from a container.

import { expect, test } from 'vitest';
import { options } from '../../src/options/options.ts';
import { parseOptionValue } from '../../src/options/option-value.ts';
import { logsLinkOf } from '../../src/status/logs-link.ts';
import { makeConfig } from '../support/make-config.ts';

test('logsLinkOf() is the Logs Explorer with a query for one container, where the endpoint is Google', () => {
  const link = logsLinkOf(makeConfig({})) ?? '';
  expect(link).toMatch(
    /^https:\/\/console\.cloud\.google\.com\/logs\/query;query=[^ "]+;duration=PT1H\?project=\{project\}$/,
  );
  const query = decodeURIComponent(/query=([^;]+)/.exec(link)?.[1] ?? '');
  expect(query.split('\n')).toEqual([
    'resource.type="k8s_container"',
    'resource.labels.location="{location}"',
    'resource.labels.cluster_name="{cluster}"',
    'resource.labels.namespace_name="{namespace}"',
    'resource.labels.pod_name="{pod}"',
    'resource.labels.container_name="{container}"',
  ]);
  const regional = makeConfig({ endpoint: 'https://europe-west1-logging.googleapis.com' });
  expect(logsLinkOf(regional)).toBe(link);
});

test('logsLinkOf() is nothing for another endpoint, and what --logs-link says for any', () => {
  expect(logsLinkOf(makeConfig({ endpoint: 'http://127.0.0.1:8085' }))).toBeUndefined();
  expect(
    logsLinkOf(makeConfig({ endpoint: 'https://googleapis.com.example.org' })),
  ).toBeUndefined();
  const logsLink = 'https://logs.example.com/{pod}';
  expect(logsLinkOf(makeConfig({ logsLink }))).toBe(logsLink);
});

test.each([
  ['https://logs.example.com/d/x?var-pod={pod}&var-ns={namespace}#{container}', undefined],
  ['javascript:alert("{pod}")', 'an http:// or https:// URL'],
  ['logs.example.com/{pod}', 'an http:// or https:// URL'],
  ['https://logs.example.com/{pots}', 'a URL with {namespace}, {pod}'],
  ['https://logs.example.com/{constructor}', 'a URL with {namespace}, {pod}'],
  ['https://logs.example.com/{}', 'a URL with {namespace}, {pod}'],
])('--logs-link %s', (text, fault) => {
  const parse = () => parseOptionValue(options.logsLink, text, '--logs-link');
  if (fault === undefined) expect(parse()).toBe(text);
  else expect(parse).toThrow(fault);
});
