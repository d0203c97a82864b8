// Starts an emulator for one test and talks to it in JSON.

import { onTestFinished } from 'vitest';
import type { Emulator, EmulatorOptions } from '../../src/emulator/server/server.ts';
import { startEmulator } from '../../src/emulator/server/server.ts';

export const resource = {
  type: 'k8s_container',
  labels: { project_id: 'acme-logs-42', location: 'europe-west4', pod_name: 'web-0' },
};
export const logName = 'projects/acme-logs-42/logs/stdout';
export const defaults = { logName, resource };

/** JSON of whatever shape, for tests that look into it. */
export type Loose = ReturnType<typeof JSON.parse>;

export type Answered = { readonly status: number; readonly json: Record<string, Loose> };

export type Fixture = {
  readonly emulator: Emulator;
  /** Posts JSON, or a body that is bytes or text already. */
  readonly post: (
    path: string,
    body: unknown,
    headers?: Record<string, string>,
  ) => Promise<Answered>;
  readonly write: (request: object) => Promise<Answered>;
  readonly list: (request?: object) => Promise<Answered>;
  readonly stored: () => Promise<Record<string, Loose>[]>;
};

export async function openEmulator(options: Partial<EmulatorOptions> = {}): Promise<Fixture> {
  const emulator = await startEmulator({ port: 0, ...options });
  onTestFinished(() => emulator.close());
  const post: Fixture['post'] = async (path, body, headers = {}) => {
    const isRaw = typeof body === 'string' || body instanceof Uint8Array;
    const response = await fetch(emulator.url + path, {
      method: 'POST',
      body: isRaw ? (body as string) : JSON.stringify(body),
      headers: { 'content-type': 'application/json', ...headers },
    });
    return { status: response.status, json: (await response.json()) as Record<string, Loose> };
  };
  return {
    emulator,
    post,
    write: (request) => post('/v2/entries:write', { ...defaults, ...request }),
    list: (request = {}) =>
      post('/v2/entries:list', { resourceNames: ['projects/acme-logs-42'], ...request }),
    stored: async () => {
      const text = await (await fetch(`${emulator.url}/emulator/entries`)).text();
      return text
        .split('\n')
        .filter((line) => line !== '')
        .map((line) => JSON.parse(line) as Record<string, Loose>);
    },
  };
}
