// Converts configurations for the tests, and loads what they become as `tailship run --config`
// does.

import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterEach, beforeEach } from 'vitest';
import { parse } from 'yaml';

import { convertConfiguration, noteText } from '../../src/convert/convert.ts';
import { loadConfig } from '../../src/options/config-loader.ts';
import { makeScratch } from '../support/agent-process.ts';

export type Syntax = 'fluentd' | 'fluent-bit';

/** The parsed YAML, and the notes as `KIND FILE:LINE  SUBJECT: TEXT`. */
export type Result = { readonly yaml: Record<string, unknown>; readonly notes: readonly string[] };

export type Converter = {
  /** A folder of its own for each test. */
  readonly folder: () => string;
  readonly convertFiles: (syntax: Syntax, ...files: readonly string[]) => Promise<Result>;
  readonly convertText: (syntax: Syntax, text: string) => Promise<Result>;
};

/** Called at the top of a test file. */
export function useConverter(): Converter {
  let scratch: ReturnType<typeof makeScratch>;
  beforeEach(() => {
    scratch = makeScratch();
  });
  afterEach(() => scratch.remove());
  const convertFiles: Converter['convertFiles'] = async (syntax, ...files) => {
    const { yaml, notes } = await convertConfiguration(syntax, files);
    const file = path.join(scratch.path, 'tailship.yaml');
    writeFileSync(file, yaml);
    await loadConfig({ command: 'run', flags: { config: file }, environment: {} });
    const root = (parse(yaml) ?? {}) as Record<string, unknown>;
    return { yaml: root, notes: notes.map((note) => `${note.kind} ${noteText(note)}`) };
  };
  return {
    folder: () => scratch.path,
    convertFiles,
    convertText(syntax, text) {
      const file = path.join(scratch.path, 'x.conf');
      writeFileSync(file, text);
      return convertFiles(syntax, file);
    },
  };
}

/** A tail source, around what a test is about. */
export function fluentd(...sections: readonly string[]): string {
  const source =
    '<source>\n@type tail\npath /var/log/containers/*.log\ntag kubernetes.*\n</source>';
  return [source, ...sections].join('\n');
}

/** As `fluentd`. */
export function fluentBit(...sections: readonly string[]): string {
  const input = '[INPUT]\n Name tail\n Path /var/log/containers/*.log\n Tag kube.*';
  return [input, ...sections].join('\n');
}
