// What every set of manifests of deploy/ must keep, whatever rendered it: valid for the API, and in
// step with this code's flags, paths, ports and limits.

import path from 'node:path';
import { expect, onTestFinished, test } from 'vitest';

import { startAdmin } from '../../src/admin/admin-server.ts';
import { limits } from '../../src/config.ts';
import { memoryWarning, slotCountFor } from '../../src/host/sizing.ts';
import { createLog } from '../../src/log.ts';
import { createSampleSource } from '../admin/status-fixture.ts';
import { faultsOf } from './kubernetes-schema.ts';
import { bytesOf, containersOf, mountUnder, podsOf, startedBy } from './manifest-pods.ts';
import type { Manifest } from './manifest-types.ts';

const ourImage = /\/tailship@sha256:/;

/** Registers the tests of one set; to be called in a `describe`. */
export function testManifests(manifests: readonly Manifest[]): void {
  const pods = podsOf(manifests);
  const ours = pods.flatMap((pod) =>
    containersOf(pod)
      .filter(({ image }) => ourImage.test(image))
      .map((container) => ({ pod, container })),
  );

  test('is valid, field by field', () => {
    expect(manifests.length).toBeGreaterThan(1);
    expect(manifests.flatMap(faultsOf)).toEqual([]);
  });

  test('names every image by its digest, and none by a tag', () => {
    const images = pods.flatMap(containersOf).map(({ image }) => image);
    expect(ours.length).toBeGreaterThan(0);
    for (const image of images) expect(image).toMatch(/^[^@]+\/[^:@]+@sha256:[0-9a-f]{64}$/);
  });

  test('has flags, variables and keys that the code knows', async () => {
    for (const { pod, container } of ours) {
      const { loaded } = await startedBy(manifests, pod, container);
      expect(loaded.warnings).toEqual([]);
    }
  });

  test('mounts what is read and written, and may write the state only', async () => {
    for (const { pod, container } of ours) {
      const { command, loaded } = await startedBy(manifests, pod, container);
      if (command !== 'run') continue;
      const { config } = loaded;
      const isRaw = config.format === 'raw';
      const roots = isRaw ? config.rawPath : [config.containersDir, config.logRoot[0] ?? ''];
      const credentials = config.credentialsFile === undefined ? [] : [config.credentialsFile];
      const journals = config.nodeLogs === 'off' ? [] : config.journalDir;
      for (const file of [...roots, ...credentials, ...journals]) {
        expect(mountUnder(pod, container, file), file).toMatchObject({ readOnly: true });
      }
      const state = mountUnder(pod, container, config.stateDir);
      expect(state).toMatchObject({ readOnly: false });
      const writable = container.volumeMounts?.filter(({ readOnly }) => readOnly !== true);
      expect(writable?.map(({ mountPath }) => mountPath)).toEqual([config.stateDir]);
      const mounted = container.volumeMounts?.map(({ name }) => name);
      for (const { name, hostPath } of pod.volumes ?? []) {
        const isOwn = mounted?.includes(name) === true;
        if (!isOwn || hostPath === undefined || hostPath.path.startsWith('/proc/')) continue;
        // The same path inside and outside, or the links would lead nowhere.
        const parents =
          config.nodeLogs === 'off' ? [] : config.journalDir.map((dir) => path.dirname(dir));
        const read = [config.containersDir, ...config.logRoot, ...parents];
        expect([...read, config.stateDir]).toContain(hostPath.path);
        expect(mountUnder(pod, container, hostPath.path)?.volume.hostPath).toEqual(hostPath);
      }
    }
  });

  test('has probes and ports where the agent listens', async () => {
    const log = createLog({ level: 'error', write: () => undefined });
    const server = await startAdmin({ host: '127.0.0.1', port: 0 }, createSampleSource(), log);
    onTestFinished(() => server.close());
    for (const { pod, container } of ours) {
      const { command, loaded } = await startedBy(manifests, pod, container);
      if (command !== 'run') continue;
      const port = container.ports?.find(({ name }) => name === 'admin')?.containerPort;
      expect(loaded.config.adminAddress).toEqual({ host: '0.0.0.0', port });
      const { startupProbe, livenessProbe, readinessProbe } = container;
      expect(startupProbe).toBeDefined();
      expect(livenessProbe).toBeDefined();
      for (const probe of [startupProbe, livenessProbe, readinessProbe]) {
        if (probe === undefined) continue;
        expect(probe.httpGet.port).toBe('admin');
        const { status } = await fetch(server.url + probe.httpGet.path);
        expect([200, 503]).toContain(status);
      }
    }
  });

  test('gives time to stop, memory to work in, and no CPU limit', async () => {
    for (const { pod, container } of ours) {
      const { command, loaded } = await startedBy(manifests, pod, container);
      expect(container.resources?.limits?.['cpu']).toBeUndefined();
      const bytes = bytesOf(container.resources?.limits?.['memory']);
      expect(bytes).toBeGreaterThan(0);
      if (command !== 'run') continue;
      expect((pod.terminationGracePeriodSeconds ?? 0) * 1_000).toBeGreaterThan(
        loaded.config.graceMs,
      );
      expect(memoryWarning(loaded.config, bytes)).toBeUndefined();
      expect(slotCountFor(loaded.config, bytes)).toBe(limits.slotCount);
    }
  });

  test('takes no right that it does not need', () => {
    for (const { pod, container } of ours) {
      const { securityContext: own } = container;
      expect(own).toMatchObject({
        readOnlyRootFilesystem: true,
        allowPrivilegeEscalation: false,
        capabilities: { drop: ['ALL'] },
      });
      const isRoot = (own?.runAsUser ?? pod.securityContext?.runAsUser) === 0;
      expect(own?.capabilities?.add).toEqual(isRoot ? ['DAC_READ_SEARCH'] : undefined);
      expect(pod.securityContext?.seccompProfile).toEqual({ type: 'RuntimeDefault' });
      expect([pod.hostNetwork, pod.hostPID, pod.hostIPC]).toEqual([
        undefined,
        undefined,
        undefined,
      ]);
    }
  });
}
