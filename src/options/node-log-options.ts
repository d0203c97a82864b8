// The options that concern node logs, as rows of the table in options.ts, which spreads them in.

import type { OptionRow } from './option-row.ts';

/** Units that GKE's own agent ships, each to the log of its name. */
const defaultUnits = [
  'docker.service',
  'containerd.service',
  'crio.service',
  'kubelet.service',
  'kube-node-installation.service',
  'kube-node-configuration.service',
  'kube-logrotate.service',
  'node-problem-detector.service',
  'kube-container-runtime-monitor.service',
  'kubelet-monitor.service',
  'gcfsd.service',
  'gcfs-snapshotter.service',
] as const;

export const nodeLogOptions = {
  // ── logs of the node itself
  nodeLogs: {
    kind: 'choice',
    default: 'off',
    choices: ['off', 'auto'],
    help: 'Ship the logs of the node itself: the journal of kubelet and container runtime; auto: where there is one.',
  },
  nodeFrom: {
    kind: 'choice',
    default: 'end',
    choices: ['start', 'end'],
    help: 'Where to begin in node logs at the first start: at their end, or with the last boot; as --from where that is given, with the last boot for --once.',
  },
  journalDir: {
    kind: 'paths',
    default: ['/var/log/journal', '/run/log/journal'],
    help: 'Directories of the journal; journald moves from the later to the earlier one.',
  },
  nodeUnits: {
    kind: 'names',
    default: defaultUnits,
    placeholder: 'GLOB',
    help: 'Units whose entries are shipped, each to the log of its name; * and ? match.',
  },
  nodeJournal: {
    kind: 'boolean',
    default: false,
    help: 'Ship everything else of the journal too, kernel included, to the log node-journal.',
  },
  nodeFile: {
    kind: 'nodeFiles',
    default: [],
    placeholder: 'NAME=GLOB[:FORMAT]',
    help: "Files of the node to ship to the log NAME, beside those that GKE's own agent ships; FORMAT is text, json, glog or syslog.",
  },
  nodeSeverity: {
    kind: 'choice',
    default: 'default',
    choices: ['default', 'priority'],
    help: 'Severity of entries of the journal: none, as on GKE, or that of PRIORITY, with CODE_FILE, CODE_LINE and CODE_FUNC as source location.',
  },
} as const satisfies Record<string, OptionRow>;
