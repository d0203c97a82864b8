// Units and the names of their logs, as GKE's own agent has them.

import { expect, test } from 'vitest';
import { logOfUnit, logsNamedBy } from '../../src/journal/unit-logs.ts';
import { makeConfig } from '../support/make-config.ts';

const { nodeUnits: units } = makeConfig({});

test.each([
  ['docker.service', 'docker'],
  ['containerd.service', 'container-runtime'],
  ['crio.service', 'container-runtime'],
  ['kubelet.service', 'kubelet'],
  ['kube-node-installation.service', 'kube-node-installation'],
  ['kube-node-configuration.service', 'kube-node-configuration'],
  ['kube-logrotate.service', 'kube-logrotate'],
  ['node-problem-detector.service', 'node-problem-detector'],
  ['kube-container-runtime-monitor.service', 'kube-container-runtime-monitor'],
  ['kubelet-monitor.service', 'kubelet-monitor'],
  ['gcfsd.service', 'gcfsd'],
  ['gcfs-snapshotter.service', 'gcfs-snapshotter'],
])('%s goes to the log %s', (unit, log) => {
  expect(logOfUnit(unit, { units, takesOthers: false })).toBe(log);
});

test('all else goes to node-journal where that is asked for, and nowhere otherwise', () => {
  for (const unit of ['ssh.service', 'kubelet.socket', 'kubelet.service.d', undefined]) {
    expect(logOfUnit(unit, { units, takesOthers: false })).toBeUndefined();
    expect(logOfUnit(unit, { units, takesOthers: true })).toBe('node-journal');
  }
});

test('a glob takes units in, each under its own name', () => {
  const all = { units: ['*'], takesOthers: false };
  expect(logOfUnit('constructor.service', all)).toBe('constructor');
  expect(logOfUnit('getty@tty1.service', all)).toBe('getty@tty1');
  expect(logOfUnit('run-r1.scope', all)).toBe('run-r1.scope');
  expect(logOfUnit(undefined, all)).toBeUndefined();
});

test('what no glob matches is known beforehand', () => {
  const given = ['kubelet.service', 'crio.service', 'containerd.service', 'my-*'];
  const options = { units: given, takesOthers: true };
  expect(logsNamedBy(options)).toEqual(['kubelet', 'container-runtime', 'node-journal']);
});
