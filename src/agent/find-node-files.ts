// Finds the log files of the node itself, and those that a sandbox runtime writes beside a pod's
// containers.

import { basename } from 'node:path';

import { limits } from '../config.ts';
import type { ContainerLog } from '../discover/container-name.ts';
import type { Discovery, DiscoveryEvents } from '../discover/discovery.ts';
import { startRawDiscovery, type RawDiscoveryOptions } from '../discover/raw-discovery.ts';
import { nodeNamespace, type NodeFile } from '../node-file.ts';
import { isRotationOf } from '../tail/file-name.ts';
import { nodeFilesOf } from '../tail/node-file-rule.ts';
import type { Agent } from './make-agent.ts';

type Events = Pick<DiscoveryEvents, 'added' | 'removed'>;

/** Reports files until each result is closed. */
export function findNodeFiles(agent: Agent, events: Events): Pick<Discovery, 'close'>[] {
  const { config, nodeIdentity } = agent;
  const files = nodeFilesOf(config).map(({ glob, logName, format }) => {
    const names = { namespace: nodeNamespace, pod: nodeIdentity.node, container: logName };
    const name = { ...names, podUid: '', restartCount: 0 };
    const describe = (log: ContainerLog) => ({ ...log, nodeFile: { logName, format } });
    return search(agent, { rawPaths: [glob], name }, describe, events);
  });
  const rawPaths = config.logRoot.map((root) => `${root}/*_*_*/*.log`);
  return [...files, search(agent, { rawPaths, name: undefined }, podLog, events)];
}

function search(
  { fleet }: Agent,
  what: Pick<RawDiscoveryOptions, 'rawPaths' | 'name'>,
  describe: (log: ContainerLog) => ContainerLog | undefined,
  events: Events,
): Pick<Discovery, 'close'> {
  const options = {
    ...what,
    scanIntervalMs: limits.nodeFileScanMs,
    isRotationOf,
    isKnown: (log: ContainerLog) => fleet.knows(describe(log) ?? log),
  };
  return startRawDiscovery(options, {
    added: (log) => {
      const described = describe(log);
      if (described !== undefined) events.added(described);
    },
    removed: (log) => events.removed(log),
  });
}

/**
 * The log of gVisor, `<namespace>_<pod>_<uid>/gvisor.log`; undefined for the logs of containers
 * that old kubelets keep there.
 */
function podLog(log: ContainerLog): ContainerLog | undefined {
  const [namespace = '', pod = '', podUid = '', more] = basename(log.directory).split('_');
  const [, logName] = /^([a-z][a-z0-9-]*)\.log$/.exec(log.fileName) ?? [];
  if (logName === undefined || podUid === '' || more !== undefined) return undefined;
  const name = { namespace, pod, container: logName, podUid, restartCount: 0 };
  const nodeFile: NodeFile = { logName, format: 'text', pod: { namespace, pod } };
  return { ...log, name, nodeFile };
}
