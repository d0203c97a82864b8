// The options that concern the pods of the node, as rows of the table in options.ts, which spreads
// them in.

import type { OptionRow } from './option-row.ts';

export const podOptions = {
  // ── labels of the pods
  kubernetesMetadata: {
    kind: 'choice',
    default: 'auto',
    choices: ['auto', 'off'],
    help: 'Add the labels of the pods to their entries; auto: where there is an API server and a token.',
  },
  kubernetesApi: {
    kind: 'url',
    help: 'API server for the labels of pods; in a cluster, KUBERNETES_SERVICE_HOST by default.',
  },
  kubernetesTokenFile: {
    kind: 'path',
    default: '/var/run/secrets/kubernetes.io/serviceaccount/token',
    help: 'Token of the service account; read again whenever it is needed.',
  },
  kubernetesCaFile: {
    kind: 'path',
    default: '/var/run/secrets/kubernetes.io/serviceaccount/ca.crt',
    help: 'PEM certificates that the API server is trusted by.',
  },
  metadataWaitMs: {
    kind: 'milliseconds',
    isHot: true,
    default: 2_000,
    max: 60_000,
    help: 'How long the lines of a new pod wait for its labels before they are sent without.',
  },
  // ── which containers, how fast, and what of them
  include: {
    kind: 'globs',
    isHot: true,
    default: [],
    help: 'Read these containers only; * and ? match, a part that is missing matches all.',
  },
  exclude: {
    kind: 'globs',
    isHot: true,
    default: [],
    help: 'Do not read these containers, even if they are included.',
  },
  rateLimit: {
    kind: 'rates',
    isHot: true,
    default: [],
    placeholder: 'GLOB=BYTES',
    help: 'Bytes per second of each container that matches; the rest waits in its files.',
  },
  redact: {
    kind: 'redactions',
    isHot: true,
    default: [],
    placeholder: 'GLOB=PATTERN',
    help: 'Replace what a regular expression matches in the lines of these containers by [REDACTED].',
  },
  sample: {
    kind: 'samples',
    isHot: true,
    default: [],
    placeholder: 'GLOB:SEVERITY=SHARE',
    help: 'Ship this share, 0 to 1, of the entries of one severity; severities not named are shipped.',
  },
  rules: {
    kind: 'rules',
    isHot: true,
    commands: ['run', 'check', 'rules'],
    placeholder: 'FILE',
    help: 'YAML file with a list of rules that shape records; or the list itself, in the file of --config.',
  },
  input: {
    kind: 'text',
    commands: ['rules'],
    placeholder: 'FILE',
    help: 'rules test: lines to try the rules on, of a log file or plain; - is stdin.',
  },
  podAnnotations: {
    kind: 'boolean',
    isHot: true,
    default: false,
    help: 'Obey annotations of the pods: tailship.dev/exclude, join-stack-traces, rate-limit, sample; fluentbit.io/parser, exclude.',
  },
} as const satisfies Record<string, OptionRow>;
