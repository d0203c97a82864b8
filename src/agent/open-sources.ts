// Opens what tells the agent what to read: the containers directory or raw files, the node's logs,
// and the API server for the labels of pods.

import { basename } from 'node:path';

import type { Control } from '../control.ts';
import { parseContainerName, type ContainerName } from '../discover/container-name.ts';
import { Discovery, type DiscoveryEvents } from '../discover/discovery.ts';
import type { PodMetadata } from '../discover/pods/pod-metadata.ts';
import { startRawDiscovery } from '../discover/raw-discovery.ts';
import { limits } from '../config.ts';
import { shapeTemplate } from '../encode/entries/shape-template.ts';
import type { NodeIdentity } from '../host/node-identity.ts';
import { nodeNamespace } from '../node-file.ts';
import type { AgentError } from '../errors.ts';
import type { Config } from '../options/options.ts';
import { nothingToRead } from '../status/run-lines.ts';
import { steadyNowMs } from '../steady-clock.ts';
import { isRotationOf } from '../tail/file-name.ts';
import type { ContainerNames } from '../tail/container-names.ts';
import type { JournalRules } from '../tail/journal/journal-logs.ts';
import type { JournalSource } from '../tail/journal/journal-source.ts';
import { nodeFileTemplate, withJournal } from '../tail/node-file-rule.ts';
import { ReadingRules } from '../tail/reading-rules.ts';
import type { Agent } from './make-agent.ts';

/** Raw files have no links. */
type LogDiscovery = Pick<Discovery, 'close'> &
  Partial<Pick<Discovery, 'counters' | 'isFull' | 'overByPod' | 'unsettledCount'>>;

export type LogSearch = {
  readonly discovery: LogDiscovery;
  /** Resolves after the first scan, to the reason if it found no log. */
  readonly listed: Promise<AgentError | undefined>;
  readonly close: () => Promise<void>;
};

/** undefined, and nothing is loaded, without an API server. */
export async function openPods(agent: Agent, control: Control): Promise<PodMetadata | undefined> {
  const { config, fleet, pipeline, nodeIdentity } = agent;
  if (config.kubernetesMetadata === 'off' || config.kubernetesApi === undefined) return undefined;
  const { kubernetesApiOf, PodMetadata } = await import('../discover/pods/pod-metadata.ts');
  const api = kubernetesApiOf(config);
  if (api === undefined) return undefined;
  const options = { node: nodeIdentity.node, waitMs: config.metadataWaitMs };
  const pods = new PodMetadata(api, options, {
    changed: (pod) => {
      if (fleet.relabel(pod)) pipeline.pumpSoon();
    },
    log: control.log,
  });
  fleet.usePods(pods);
  return pods;
}

/** undefined, and nothing is loaded, where node logs are off. */
export async function openNodeLogs(
  { config, fleet, nodeIdentity, pipeline, store }: Agent,
  { log }: Control,
): Promise<JournalSource | undefined> {
  if (config.nodeLogs === 'off') return undefined;
  const { JournalSource: Source } = await import('../tail/journal/journal-source.ts');
  const journal = new Source(
    {
      directories: config.journalDir,
      units: config.nodeUnits,
      takesOthers: config.nodeJournal,
      readsPriority: config.nodeSeverity === 'priority',
      from: config.nodeFrom,
    },
    {
      nodeIdentity,
      store,
      rules: journalRules(config, nodeIdentity),
      isPaced: !config.once,
      lost: (entries) =>
        fleet.losses.note('deleted', journalNames(nodeIdentity), { bytes: 0, entries }),
      report: (code, text) => log.warn(code, text),
    },
  );
  pipeline.addNodePlans(journal);
  return journal;
}

/** The rules for `_node/NODE/journal` and for each of its logs, by either name. */
export function journalRules(config: Config, identity: NodeIdentity): JournalRules {
  const rules = new ReadingRules(config);
  const names = journalNames(identity);
  const { container: group } = names;
  return {
    whole: rules.of(names),
    ofLog: (logName) => {
      const rule = withJournal(rules.of({ ...names, container: logName, group }));
      const base = nodeFileTemplate(identity, { logName, format: 'text' });
      return { rule, template: shapeTemplate(base, identity.project, rule.template) };
    },
  };
}

function journalNames({ node }: NodeIdentity): ContainerNames {
  return { namespace: nodeNamespace, pod: node, container: 'journal' };
}

/** Gives the fleet the logs that it finds, until `close`. */
export async function findLogs(agent: Agent, { log: agentLog }: Control): Promise<LogSearch> {
  const { config, fleet } = agent;
  const { promise: listed, resolve } = Promise.withResolvers<void>();
  const { scanIntervalMs } = limits;
  let logs = 0;
  const events: DiscoveryEvents = {
    added: (log) => {
      logs += 1;
      fleet.add(log, steadyNowMs());
    },
    removed: (log) => fleet.removeLink(log),
    refused: (linkPath, reason) => agentLog.warn('LINK_REFUSED', `${linkPath}: ${reason}`),
    missed: (linkPath) => {
      fleet.losses.note('missed', parseContainerName(basename(linkPath), ''));
      agentLog.error('LINES_LOST', `${linkPath} came and went before it could be read`);
    },
    degraded: (reason) => agentLog.warn('WATCH_DEGRADED', reason),
    crowded: (directory) =>
      agentLog.warn('OVER_LIMIT', `${directory}: its links are more than are read`),
    listed: () => {
      fleet.endFirstScan();
      resolve();
    },
  };
  const { rawPath, containersDir, logRoot: logRoots } = config;
  const isNodeOff = config.nodeLogs === 'off';
  const nodeFiles = isNodeOff
    ? []
    : (await import('./find-node-files.ts')).findNodeFiles(agent, events);
  const discovery: LogDiscovery =
    config.format === 'raw'
      ? startRawDiscovery(
          {
            rawPaths: rawPath,
            name: rawName(config),
            scanIntervalMs,
            isRotationOf,
            isKnown: (log) => fleet.knows(log),
          },
          events,
        )
      : new Discovery({ containersDir, logRoots, scanIntervalMs, watch: !config.once }, events);
  if (config.format === 'raw') events.listed?.();
  const nothing = () => nothingToRead(config, { logs, links: discovery.unsettledCount ?? 0 });
  const close = async (): Promise<void> => {
    for (const each of [discovery, ...nodeFiles]) await each.close();
  };
  return { discovery, listed: listed.then(nothing), close };
}

function rawName({ namespace, pod, container }: Config): ContainerName | undefined {
  if (pod === undefined) return undefined;
  const names = { namespace: namespace ?? '', pod, container: container ?? '' };
  return { ...names, podUid: '', restartCount: 0 };
}
