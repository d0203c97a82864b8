// Where the page links to from a container, to show its entries.

import type { Config } from '../options/options.ts';

/** Google's Logs Explorer, with a query for one container and the last hour. */
const explorerQuery = [
  'resource.type="k8s_container"',
  'resource.labels.location="{location}"',
  'resource.labels.cluster_name="{cluster}"',
  'resource.labels.namespace_name="{namespace}"',
  'resource.labels.pod_name="{pod}"',
  'resource.labels.container_name="{container}"',
].join('\n');

/** The names in braces stay as they are, for the page to replace. */
const explorerLink = `https://console.cloud.google.com/logs/query;query=${encodeURIComponent(
  explorerQuery,
).replaceAll(/%7B(\w+)%7D/g, '{$1}')};duration=PT1H?project={project}`;

/** A URL with names in braces; undefined where the entries cannot be seen. */
export function logsLinkOf({ logsLink, endpoint }: Config): string | undefined {
  if (logsLink !== undefined) return logsLink;
  const { hostname } = new URL(endpoint);
  return /(?:^|\.)googleapis\.com$/.test(hostname) ? explorerLink : undefined;
}
