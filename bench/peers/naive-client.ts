// The process behind naive.ts: reads each file by lines, parses the CRI header with a regular
// expression, gives every line to the official client as an object, and waits for each write.

import { createReadStream } from 'node:fs';
import { createInterface } from 'node:readline';
import { parseArgs } from 'node:util';
import { type Entry, type Log, Logging } from '@google-cloud/logging';
import { OAuth2Client } from 'google-auth-library';

const batchEntries = 1_000;
const { values: option, positionals: files } = parseArgs({
  allowPositionals: true,
  options: { endpoint: { type: 'string', default: '' } },
});

function connect(endpoint: URL): Log {
  const authClient = new OAuth2Client();
  authClient.setCredentials({ access_token: 'bench', expiry_date: Date.now() + 3_600_000 });
  const logging = new Logging({
    projectId: 'bench',
    apiEndpoint: endpoint.hostname,
    port: Number(endpoint.port),
    fallback: true,
    protocol: 'http',
    authClient,
  } as ConstructorParameters<typeof Logging>[0]);
  return logging.log('stdout', { removeCircular: false });
}

function parseContent(content: string): string | object {
  if (!content.startsWith('{')) return content;
  try {
    return JSON.parse(content) as object;
  } catch {
    return content;
  }
}

function makeEntry(log: Log, file: string, line: string): Entry | undefined {
  const match = /^(\S+) (stdout|stderr) (\S+) (.*)$/.exec(line);
  if (match === null) return undefined;
  const [, timestamp = '', stream = '', , content = ''] = match;
  const [, namespace = '', pod = ''] = /pods\/([^_]+)_([^_]+)_/.exec(file) ?? [];
  const resource = {
    type: 'k8s_container',
    labels: { namespace_name: namespace, pod_name: pod, container_name: 'api' },
  };
  const severity = stream === 'stderr' ? 'ERROR' : 'INFO';
  return log.entry({ timestamp, severity, resource }, parseContent(content));
}

async function ship(log: Log): Promise<void> {
  let batch: Entry[] = [];
  for (const file of files) {
    for await (const line of createInterface({ input: createReadStream(file) })) {
      const entry = makeEntry(log, file, line);
      if (entry !== undefined) batch.push(entry);
      if (batch.length === batchEntries) {
        await log.write(batch, { partialSuccess: true });
        batch = [];
      }
    }
  }
  if (batch.length > 0) await log.write(batch, { partialSuccess: true });
}

await ship(connect(new URL(option.endpoint)));
process.exit(0);
