// Opens a shipper with short times on a state directory of its own, and closes everything after the
// test.

import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { onTestFinished } from 'vitest';
import type { ErrorCode } from '../../src/errors.ts';
import type { ShipOptions, Shipper } from '../../src/ship/shipper.ts';
import { createShipper } from '../../src/ship/shipper.ts';
import type { Respond } from './fake-api.ts';
import { FakeApi } from './fake-api.ts';
import type { TestCertificate } from './test-certificate.ts';
import { callbackLog } from '../support/callback-log.ts';

export type LogLine = { readonly level: string; readonly code: ErrorCode; readonly text: string };

export type OpenShipper = {
  readonly shipper: Shipper;
  readonly lines: LogLine[];
  readonly stateDir: string;
};

/** Waits that keep a test short; everything else as in production. */
export const shortLimits = {
  shipBackoffBaseMs: 5,
  shipBackoffMaxMs: 40,
  shipSlowBackoffMaxMs: 60,
} as const;

/** A shipper towards `endpoint`. */
export async function openShipper(
  endpoint: URL,
  options: Partial<ShipOptions> = {},
): Promise<OpenShipper> {
  const stateDir = makeStateDir();
  const lines: LogLine[] = [];
  const shipper = await createShipper(
    {
      endpoint,
      project: 'acme-logs-42',
      gzip: false,
      connections: 2,
      stateDir,
      ...options,
      limits: { ...shortLimits, ...options.limits },
    },
    { log: callbackLog((level, code, text) => lines.push({ level, code: code!, text })) },
  );
  onTestFinished(() => shipper.stop(0));
  return { shipper, lines, stateDir };
}

/** A server with this behaviour, closed after the test. */
export async function openApi(respond?: Respond, certificate?: TestCertificate): Promise<FakeApi> {
  const api = new FakeApi((request, response) => api.accept(request, response), certificate);
  if (respond !== undefined) api.respond = respond;
  await api.listen();
  onTestFinished(() => api.close());
  return api;
}

export function makeStateDir(): string {
  const stateDir = mkdtempSync(path.join(tmpdir(), 'tailship-ship-'));
  onTestFinished(() => rmSync(stateDir, { recursive: true, force: true }));
  return stateDir;
}

type Letter = { time: string; reason: string; code: number; entry: { insertId: string } };

/** The dead letters in a state directory. */
export function readLetters(stateDir: string): Letter[] {
  const text = readFileSync(path.join(stateDir, 'dead-letter.ndjson'), 'utf8');
  const lines = text.split('\n').filter((line) => line !== '');
  return lines.map((line) => JSON.parse(line) as Letter);
}
