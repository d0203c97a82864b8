// The built-in rules for the node's own logs: where their entries go, and how lines are parsed.

import type { NodeIdentity } from '../host/node-identity.ts';
import {
  logNameMember,
  resourceMember,
  type EntryTemplate,
} from '../encode/entries/entry-template.ts';
import { parseNodeFile, systemNodeFiles, type NodeFile } from '../node-file.ts';
import type { NamedSteps } from '../rules/resolve-rules.ts';
import type { ParseAction } from '../rules/rule.ts';
import type { ReadingRule } from './reading-rules.ts';

function regex(pattern: string): ParseAction {
  return { format: 'regex', field: undefined, pattern, types: {}, keepField: false };
}

/** `<PRI>Mon DD hh:mm:ss host ident[pid]: message`, often without PRI. */
const syslogHead = regex(
  '^(?:<(?P<pri>[0-9]{1,3})>)?[A-Z][a-z]{2} {1,2}[0-9]{1,2} [0-9:]{8} (?P<host>[^ ]+) ' +
    '(?P<ident>[^ :\\[]+)(?:\\[(?P<pid>[0-9]+)\\])?: ?(?P<message>(?s:.*))$',
);
/** For lines without such a header. */
const wholeLine = regex('^(?P<message>(?s:.*))$');

const stepsOf: Partial<Record<string, NamedSteps>> = {
  syslog: { name: 'syslog', parse: [syslogHead, wholeLine] },
  'policy-action': {
    name: 'policy-action',
    time: { from: 'timestamp', format: 'rfc3339', offsetMinutes: 0 },
  },
};

/** A line without such a header belongs to the previous one. */
const glogHead = '^[A-Z](?:[0-9]{4})?[0-9]{4} [0-9:.]{8,15} ';

/** The rules of the format come before the user's. */
export function withNodeFile(rule: ReadingRule, file: NodeFile | undefined): ReadingRule {
  const own = file && (stepsOf[file.logName] ?? stepsOf[file.format]);
  const isGlog = file?.format === 'glog';
  if (own === undefined && !isGlog) return rule;
  const records = rule.records ?? { redact: [], shares: undefined };
  const theirs = JSON.parse(records.steps ?? '[]') as readonly NamedSteps[];
  const steps = own === undefined ? records.steps : JSON.stringify([own, ...theirs]);
  const firstLine = records.firstLine ?? (isGlog ? { stdout: glogHead } : undefined);
  return {
    ...rule,
    records: { ...records, ...(steps !== undefined && { steps }), ...(firstLine && { firstLine }) },
  };
}

/** The text of a journal entry is its MESSAGE: `parse` without a field parses that. */
export function withJournal(rule: ReadingRule): ReadingRule {
  const { records } = rule;
  if (records?.steps === undefined) return rule;
  const steps = (JSON.parse(records.steps) as readonly NamedSteps[]).map((each) => {
    const parse = each.parse?.map((action) => ({ ...action, field: action.field ?? 'MESSAGE' }));
    return parse === undefined ? each : { ...each, parse };
  });
  return { ...rule, records: { ...records, steps: JSON.stringify(steps) } };
}

export function nodeFileTemplate(
  { project, location, cluster, node }: NodeIdentity,
  { logName, pod }: NodeFile,
): EntryTemplate {
  const member = logNameMember(project, logName);
  const shared = { project_id: project, location, cluster_name: cluster };
  const resource = resourceMember(
    pod === undefined
      ? { type: 'k8s_node', labels: { ...shared, node_name: node } }
      : {
          type: 'k8s_pod',
          labels: { ...shared, namespace_name: pod.namespace, pod_name: pod.pod },
        },
  );
  return { resource, logName: { stdout: member, stderr: member }, labels: '' };
}

/** The system's files and the user's. */
export function nodeFilesOf(options: {
  readonly nodeLogs: 'off' | 'auto';
  readonly nodeFile: readonly string[];
}): (NodeFile & { readonly glob: string })[] {
  if (options.nodeLogs === 'off') return [];
  return [...systemNodeFiles, ...options.nodeFile].map(parseNodeFile);
}
