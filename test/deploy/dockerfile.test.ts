// What can be held to the Dockerfile without building it; image.slow.test.ts builds it.

import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, test } from 'vitest';

const root = path.resolve(import.meta.dirname, '../..');

function read(name: string): string {
  return readFileSync(path.join(root, name), 'utf8');
}

/** Instructions with their continued lines joined, without comments. */
const instructions = read('Dockerfile')
  .replaceAll(/^#.*\n/gm, '')
  .replaceAll('\\\n', ' ')
  .split('\n')
  .filter((line) => line.trim() !== '');
/** What runs in the image: the two stages on top of RUN_IMAGE. */
const lastStage = instructions.slice(instructions.indexOf('FROM ${RUN_IMAGE} AS cold'));

type Lock = {
  readonly packages: Readonly<
    Record<string, { readonly version: string; readonly integrity?: string }>
  >;
};

describe('the Dockerfile', () => {
  test('names no image by a tag: both come as arguments without a default', () => {
    const from = instructions.filter((line) => line.startsWith('FROM '));
    expect(from).toEqual([
      'FROM --platform=${BUILDPLATFORM} ${BUILD_IMAGE} AS build',
      'FROM ${BUILD_IMAGE} AS target',
      'FROM ${RUN_IMAGE} AS cold',
      'FROM cold',
    ]);
    const args = instructions.filter((line) => line.startsWith('ARG '));
    expect(args).toEqual(['ARG BUILD_IMAGE', 'ARG RUN_IMAGE', 'ARG TARGETARCH']);
  });

  test('runs no program of the target machine up to the stage cold', () => {
    const stages = instructions.join('\n').split(/^(?=FROM )/m);
    for (const stage of stages.slice(1, -1)) {
      const isOfTheBuilder = stage.startsWith('FROM --platform=${BUILDPLATFORM}');
      expect(/^RUN /m.test(stage)).toBe(isOfTheBuilder);
    }
  });

  test('takes the Node that everything is tested with, for both machines, by its integrity', () => {
    const { packages } = JSON.parse(read('package-lock.json')) as Lock;
    for (const machine of ['x64', 'arm64']) {
      expect(packages[`node_modules/node-linux-${machine}`]).toMatchObject({
        version: process.versions.node,
        integrity: expect.stringMatching(/^sha512-.{86}==$/) as string,
      });
    }
  });

  test('needs no shell in the image', () => {
    const run = lastStage.filter((line) => /^(?:RUN|ENTRYPOINT|CMD) /.test(line));
    expect(run.length).toBe(3);
    for (const line of run) expect(line).toMatch(/^\w+ \[".*"\]$/);
  });

  test('starts what there is, with the flags that the cache was warmed with', () => {
    const wordsOf = (name: string): string[] => {
      const line = lastStage.find((one) => one.startsWith(`${name} [`)) ?? '';
      return JSON.parse(line.slice(name.length)) as string[];
    };
    const entrypoint = wordsOf('ENTRYPOINT');
    expect(wordsOf('RUN').slice(0, entrypoint.length)).toEqual(entrypoint);
    const program = entrypoint.at(-1)?.replace('/opt/tailship/', '') ?? '';
    expect(existsSync(path.join(root, program))).toBe(true);
  });

  test('copies what .dockerignore lets through, and nothing else', () => {
    const copied = instructions
      .filter((line) => line.startsWith('COPY ') && !line.includes('--from='))
      .flatMap((line) => line.split(/\s+/).slice(1, -1));
    const allowed = read('.dockerignore')
      .split('\n')
      .flatMap((line) => (line.startsWith('!') ? [line.slice(1)] : []));
    for (const name of copied) {
      expect(existsSync(path.join(root, name)), name).toBe(true);
      expect(
        allowed.some((one) => name === one || name.startsWith(`${one}/`)),
        name,
      ).toBe(true);
    }
    expect(allowed.every((one) => copied.some((name) => name.startsWith(one)))).toBe(true);
  });
});
