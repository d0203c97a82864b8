// What the sink answers: the bytes each peer's output plugin wants to read before it takes its
// lines for delivered. The invariant: an answer depends on the request alone, so that each is
// testable.

export type Answer = {
  readonly status: number;
  readonly type: string;
  readonly body: string;
  readonly headers?: Readonly<Record<string, string>>;
};

const project = 'bench';
const zone = 'europe-west4-a';
const instance = '/computeMetadata/v1/instance';
const token = JSON.stringify({ access_token: 'bench', expires_in: 3599, token_type: 'Bearer' });

/**
 * As https://cloud.google.com/compute/docs/metadata/predefined-metadata-keys says. Fluent Bit takes
 * a zone only in this form (fetch of the zone in plugins/out_stackdriver/gce_metadata.c).
 */
const metadata: Readonly<Record<string, string>> = {
  '/computeMetadata/v1/project/project-id': project,
  '/computeMetadata/v1/project/numeric-project-id': '123456789012',
  [`${instance}/id`]: '4520031799277581759',
  [`${instance}/name`]: 'bench-node',
  [`${instance}/hostname`]: `bench-node.${zone}.c.${project}.internal`,
  [`${instance}/zone`]: `projects/123456789012/zones/${zone}`,
  [`${instance}/machine-type`]: 'projects/123456789012/machineTypes/e2-standard-2',
  [`${instance}/attributes/cluster-name`]: 'bench',
  [`${instance}/attributes/cluster-location`]: 'europe-west4',
  [`${instance}/attributes/cluster-uid`]: '0123456789abcdef',
  [`${instance}/service-accounts/default/email`]: `bench@${project}.iam.gserviceaccount.com`,
  [`${instance}/service-accounts/default/scopes`]: 'https://www.googleapis.com/auth/logging.write',
};

/** The metadata server's answer for a path; `flavor` is the request's `Metadata-Flavor`. */
export function answerMetadata(path: string, flavor: string | undefined): Answer {
  const headers = { 'metadata-flavor': 'Google', server: 'Metadata Server for VM' };
  const plain = { type: 'application/text', headers };
  if (flavor !== 'Google') {
    return { ...plain, status: 403, body: 'Missing Metadata-Flavor:Google header.' };
  }
  const isToken = /^\/computeMetadata\/v1\/instance\/service-accounts\/[^/]+\/token$/.test(path);
  if (isToken) return { status: 200, type: 'application/json', body: token, headers };
  const body = metadata[path];
  return body === undefined
    ? { ...plain, status: 404, body: 'not found' }
    : { ...plain, status: 200, body };
}

/**
 * What Elasticsearch says of a bulk request: rsyslog's omelasticsearch looks for the status of each
 * item. https://www.elastic.co/docs/api/doc/elasticsearch/operation/operation-bulk
 */
function answerBulk(lineBreaks: number): Answer {
  const item = '{"index":{"_index":"bench","_id":"0","result":"created","status":201}}';
  const items = Array.from({ length: Math.floor(lineBreaks / 2) }, () => item).join(',');
  const body = `{"took":1,"errors":false,"items":[${items}]}`;
  return { status: 200, type: 'application/json', body };
}

/** Whether the answer depends on how many lines the body has. */
export function isBulk(path: string): boolean {
  return path.endsWith('/_bulk');
}

/** Loki's push, https://grafana.com/docs/loki/latest/reference/loki-http-api/#ingest-logs. */
export function isLokiPush(path: string): boolean {
  return path === '/loki/api/v1/push';
}

/** The answer to a body that was taken; `lineBreaks` counts where `isBulk()`. */
export function answerPost(path: string, lineBreaks: number): Answer {
  if (isBulk(path)) return answerBulk(lineBreaks);
  if (isLokiPush(path)) return { status: 204, type: 'text/plain', body: '' };
  // An empty WriteLogEntriesResponse, and an empty ExportLogsServiceResponse of OTLP.
  return { status: 200, type: 'application/json', body: '{}' };
}

/** What is asked before anything is sent: Elasticsearch's health and version, Loki's readiness. */
export function answerGet(path: string): Answer {
  const type = 'application/json';
  if (path === '/ready') return { status: 200, type: 'text/plain', body: 'ready\n' };
  if (path.startsWith('/_cat/health')) return { status: 200, type: 'text/plain', body: 'green\n' };
  const body = '{"cluster_name":"bench","version":{"number":"8.0.0"}}';
  return path === '/' ? { status: 200, type, body } : { status: 404, type, body: '{}' };
}
