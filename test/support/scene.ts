// Where an end-to-end test plays: a folder, an emulator and a kubelet's files of its own. What
// `useScene` and `useScratch` set up is ended and removed after each test.

import path from 'node:path';
import { afterEach, beforeEach } from 'vitest';
import { createFakeKubelet, type FakeKubelet } from '../../src/emulator/kubelet/fake-kubelet.ts';
import {
  makeScratch,
  startEmulatorProcess,
  stopAll,
  type AgentOptions,
  type EmulatorProcess,
} from './agent-process.ts';

export type Scene = {
  readonly scratch: ReturnType<typeof makeScratch>;
  readonly emulator: EmulatorProcess;
  readonly kubelet: FakeKubelet;
  /** An agent that reads these files and ships to this emulator. */
  readonly agent: AgentOptions;
};

/** A folder of its own for each test of the file; what the test has started ends with it. */
export function useScratch(): { readonly path: string } {
  let scratch: Scene['scratch'];
  beforeEach(() => {
    scratch = makeScratch();
  });
  afterEach(async () => {
    await stopAll();
    scratch.remove();
  });
  return {
    get path() {
      return scratch.path;
    },
  };
}

/** Sets a scene before each test of the file; `seed` is of the kubelet's lines. */
export function useScene(seed: number, take: (scene: Scene) => void): void {
  let scene: Scene;
  beforeEach(async () => {
    scene = await openScene(seed);
    take(scene);
  });
  afterEach(async () => {
    await stopAll();
    scene.scratch.remove();
  });
}

/** A scene for one of several tests that run at once; the caller ends it. */
export async function openScene(seed: number): Promise<Scene> {
  const scratch = makeScratch();
  const emulator = await startEmulatorProcess();
  const kubelet = createFakeKubelet({ root: path.join(scratch.path, 'log'), seed });
  const stateDir = path.join(scratch.path, 'state');
  const agent = { kubelet, stateDir, endpoint: emulator.url };
  return { scratch, emulator, kubelet, agent };
}
