// `tailship rules`: tries rules on the lines of a file, and shows the rules of a running container.

import { readFileSync } from 'node:fs';

import type { AgentStatus, WorkloadStatus } from '../admin/admin-source.ts';
import { fetchStatus } from '../admin/top-command.ts';
import type { Config } from '../options/options.ts';
import type { Control } from '../control.ts';
import { configError, errorText } from '../errors.ts';
import { printable } from '../printable.ts';
import type { Rule } from '../rules/rule.ts';
import { tryRules, type TriedLine, type Trial } from './rules-trial.ts';
import { nodeNamespace } from '../node-file.ts';

export const ruleVerbs = ['test', 'explain'] as const;
type RuleVerb = (typeof ruleVerbs)[number];

const standardInput = 0;

/** Returns the exit code. @throws AgentError CONFIG_INVALID, ADMIN_UNREACHABLE. */
export async function runRules(
  config: Config,
  control: Control,
  { verb, operands }: { readonly verb: RuleVerb; readonly operands: readonly string[] },
): Promise<number> {
  return verb === 'test' ? testRules(config, control) : explainRules(config, control, operands);
}

async function testRules(config: Config, control: Control): Promise<number> {
  const { rules, input } = config;
  if (rules === undefined) {
    throw configError('tailship rules test needs --rules FILE, with a rule in it');
  }
  if (input === undefined) {
    throw configError('tailship rules test needs --input FILE, or - for stdin');
  }
  const list = JSON.parse(rules) as readonly Rule[];
  const lines = readInput(input);
  if (lines.length === 0) throw configError(`--input ${input} has no line`);
  const trial = tryRules(list, lines, config);
  if (config.json) {
    for (const line of trial.lines) control.write(JSON.stringify(line));
  } else {
    for (const line of trial.lines) for (const text of diffOf(line)) control.write(printable(text));
  }
  const write = config.json ? (text: string) => control.log.info(undefined, text) : control.write;
  write(summaryOf(trial));
  return 0;
}

function readInput(input: string): Buffer {
  try {
    return readFileSync(input === '-' ? standardInput : input);
  } catch (error) {
    const reason = errorText(error);
    throw configError(`--input cannot be read: ${reason}`, { cause: error });
  }
}

/** The entry before and after, as a diff. */
function diffOf({ before, after, applied, missed, droppedBy }: TriedLine): string[] {
  const told = [
    ...(applied.length > 0 ? [`rules ${applied.join(', ')}`] : []),
    ...(missed.length > 0 ? [`missed by ${missed.join(', ')}`] : []),
    ...(droppedBy === undefined ? [] : [`dropped by ${droppedBy}`]),
  ].join('; ');
  const note = `@@ ${told === '' ? 'no rule' : told}`;
  if (before.join('\n') === after.join('\n')) return [note, ...before.map((text) => `  ${text}`)];
  return [note, ...before.map((text) => `- ${text}`), ...after.map((text) => `+ ${text}`)];
}

function summaryOf({
  lineCount,
  entryCount,
  microsPerLine,
  microsBefore,
  matching,
}: Trial): string {
  const names = matching.length === 0 ? 'none' : matching.join(', ');
  const cost = `${microsPerLine.toFixed(2)} µs a line (${microsBefore.toFixed(2)} without rules)`;
  return `${lineCount} lines, ${entryCount} entries; rules of the container: ${names}; ${cost}`;
}

async function explainRules(
  config: Config,
  control: Control,
  [pod]: readonly string[],
): Promise<number> {
  if (pod === undefined) {
    throw configError('tailship rules explain needs a POD');
  }
  const status = await fetchStatus(config);
  const found = containersOf(status, pod);
  if (found.length === 0) {
    throw configError(`the agent reads no container of a pod ${pod}`);
  }
  for (const workload of found) {
    if (config.json) control.write(JSON.stringify(explained(workload)));
    else for (const line of explanation(workload)) control.write(printable(line));
  }
  return 0;
}

type Ruled = Pick<WorkloadStatus, 'namespace' | 'pod' | 'container' | 'rules'>;

/** The logs of `pod` or `namespace/pod`; those of the journal belong to the node. */
function containersOf({ workloads, journal, place }: AgentStatus, name: string): Ruled[] {
  const logs = (journal?.logs ?? []).map((log): Ruled => {
    return { namespace: nodeNamespace, pod: place.node, container: log.name, rules: log.rules };
  });
  return [...workloads, ...logs].filter(
    ({ namespace, pod }) => pod === name || `${namespace}/${pod}` === name,
  );
}

function explained({ namespace, pod, container, rules = [] }: Ruled) {
  return { namespace, pod, container, rules };
}

function explanation({ namespace, pod, container, rules = [] }: Ruled): string[] {
  const head = `${namespace}/${pod}/${container}`;
  if (rules.length === 0) return [`${head}: no rule`];
  return [head, ...rules.map(({ name, why, does }) => `  ${name}  ${does}  (match: ${why})`)];
}
