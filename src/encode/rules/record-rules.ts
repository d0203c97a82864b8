// Executes the rules that inspect records, one record at a time.
//
// Invariants: a rule's actions have a fixed order; an action that fails leaves the record unchanged
// and counts as a miss of its rule; the result depends on the record alone, so a line that is read
// again becomes the same entry.

import { severityIndex, type Severity } from '../../log-severity.ts';
import type { NamedSteps } from '../../rules/resolve-rules.ts';
import type { Condition } from '../../rules/rule.ts';
import type { Stream } from '../entries/entry-template.ts';
import { parseKlog } from '../entries/klog.ts';
import { labelOf, type Label } from '../entries/labels.ts';
import { parseLevel, parseSeverity } from '../entries/severity.ts';
import { stringValue } from '../json/json-text.ts';
import { createAllowance, type Allowance } from '../redaction/allowance.ts';
import { SearchSpent } from '../redaction/endable-text.ts';
import { createParseStep, type ParseStep } from './parse-step.ts';
import { createRedactStep, type RedactStep } from './redact-step.ts';
import { meaningOf, type RulePayload } from './rule-payload.ts';
import { RuleSearch } from './rule-search.ts';
import { isKept } from './sampling.ts';
import { mappedSeverity } from './severity-maps.ts';
import { readTime } from './time-format.ts';

/** A record as rules see and change it. */
export type RuledRecord = {
  /** As it was written. */
  readonly text: string;
  readonly stream: Stream;
  /** RFC 3339 of its first line. */
  readonly time: string;
  readonly payload: RulePayload;
  /** Determines whether a share keeps it. */
  readonly sampleId: () => string;
  /** Used if the payload names none. */
  readonly streamSeverity: Severity;
  severity: Severity | undefined;
  /** RFC 3339, from a field that a rule names. */
  eventTime: string | undefined;
  labels: readonly Label[];
  isRedacted: boolean;
};

/** What happened to a record: indexes of rules. */
export type RuleEffects = {
  readonly misses: number[];
  /** The rule that left it out. */
  droppedBy: number | undefined;
  /** Rules that changed or dropped it. */
  readonly applied: number[];
};

/** False: the record is dropped. */
type Step = (record: RuledRecord, rule: RuleOutcome) => boolean;
type RuleOutcome = { isMissed: boolean; isApplied: boolean };

type CompiledRule = {
  readonly name: string;
  readonly stream: Stream | undefined;
  readonly steps: readonly Step[];
};

export type RecordRules = {
  readonly names: readonly string[];
  readonly rules: readonly NamedSteps[];
  /** Before the records of another source. */
  begin(): void;
  apply(record: RuledRecord): RuleEffects;
};

/** The severity with which the record would be shipped now. */
function severityOf({ severity, payload, streamSeverity }: RuledRecord): Severity {
  if (severity !== undefined) return severity;
  const { members, text } = payload;
  if (members === undefined) return parseKlog(text ?? '')?.severity ?? streamSeverity;
  const own = members.get('severity');
  if (own !== undefined) return parseSeverity(meaningOf(own)) ?? 'DEFAULT';
  const level = stringValue(members.get('level') ?? '');
  return (level === undefined ? undefined : parseLevel(level)) ?? streamSeverity;
}

type Conditions = readonly Condition[];
type Test = (record: RuledRecord) => boolean;

function createTest(condition: Condition, allowance: Allowance): Test {
  const { pattern, field, severities, all } = condition;
  if (all !== undefined) {
    const tests = all.map((each) => createTest(each, allowance));
    return (record) => tests.every((test) => test(record));
  }
  const search = pattern === undefined ? undefined : new RuleSearch(pattern, allowance);
  return (record) => {
    if (search !== undefined) {
      const text = field === undefined ? record.text : record.payload.meaning(field);
      if (text === undefined || !search.test(text)) return false;
    }
    return severities === undefined || severities.includes(severityOf(record));
  };
}

/** When a condition is evaluated: on the text, on fields, or on the severity. */
function phaseOf({ field, severities, all }: Condition): number {
  if (all !== undefined) return Math.max(...all.map(phaseOf));
  if (severities !== undefined) return 2;
  return field === undefined ? 0 : 1;
}

function dropSteps(conditions: Conditions, phase: 0 | 1 | 2, allowance: Allowance): Step[] {
  const ofPhase = conditions.filter((each) => phaseOf(each) === phase);
  const tests = ofPhase.map((each) => createTest(each, allowance));
  if (tests.length === 0) return [];
  return [(record) => !tests.some((test) => test(record))];
}

/** A list is evaluated once everything it needs is known. */
function keepSteps(conditions: Conditions, phase: 0 | 1 | 2, allowance: Allowance): Step[] {
  const latest = Math.max(0, ...conditions.map(phaseOf));
  if (conditions.length === 0 || latest !== phase) return [];
  const tests = conditions.map((each) => createTest(each, allowance));
  return [(record) => tests.some((test) => test(record))];
}

/** A step that never drops the record; `act` returns whether it succeeded. */
function acting(act: (record: RuledRecord) => boolean): Step {
  return (record, outcome) => {
    if (act(record)) outcome.isApplied = true;
    else outcome.isMissed = true;
    return true;
  };
}

function severityStep({ severity: action }: NamedSteps): Step[] {
  if (action === undefined) return [];
  const { from, map } = action;
  const act = acting((record) => {
    const text = record.payload.meaning(from);
    const severity = text === undefined ? undefined : mappedSeverity(text, map);
    if (severity === undefined) return false;
    record.severity = severity;
    if (record.payload.members !== undefined) record.payload.remove(from);
    return true;
  });
  return [act];
}

function timeStep({ time: action }: NamedSteps): Step[] {
  if (action === undefined) return [];
  const act = acting((record) => {
    const text = record.payload.meaning(action.from);
    const instant = text === undefined ? undefined : readTime(text, action, record.time);
    if (instant === undefined) return false;
    record.eventTime = instant.text;
    if (record.payload.members !== undefined) record.payload.remove(action.from);
    return true;
  });
  return [act];
}

function messageStep({ message }: NamedSteps): Step[] {
  if (message === undefined) return [];
  const { from } = message;
  const act = acting(({ payload }) => {
    if (from === 'message') return payload.get(from) !== undefined;
    const raw = payload.take(from);
    if (raw === undefined) return false;
    payload.set('message', raw);
    return true;
  });
  return [act];
}

function fieldSteps({ rename = [], remove = [], set = [] }: NamedSteps): Step[] {
  if (rename.length + remove.length + set.length === 0) return [];
  return [
    ({ payload }, outcome) => {
      for (const [from, to] of rename) {
        const raw = from === to ? undefined : payload.take(from);
        if (raw === undefined) continue;
        payload.set(to, raw);
        outcome.isApplied = true;
      }
      for (const path of remove) {
        if (payload.get(path) === undefined) continue;
        payload.remove(path);
        outcome.isApplied = true;
      }
      for (const [path, raw] of set) {
        payload.set(path, raw);
        outcome.isApplied = true;
      }
      return true;
    },
  ];
}

function parseSteps({ parse }: NamedSteps, allowance: Allowance): Step[] {
  if (parse === undefined) return [];
  const step: ParseStep = createParseStep(parse, allowance);
  return [acting(({ payload }) => step(payload))];
}

function redactSteps({ redact = [] }: NamedSteps, allowance: Allowance): Step[] {
  const steps: RedactStep[] = redact.map((action) => createRedactStep(action, allowance));
  return steps.map((step): Step => (record, outcome) => {
    if (step(record.payload)) {
      record.isRedacted = true;
      outcome.isApplied = true;
    }
    return true;
  });
}

function sampleSteps({ sample }: NamedSteps): Step[] {
  if (sample === undefined) return [];
  return [
    (record) => {
      const share = sample[severityIndex(severityOf(record))] ?? 1;
      return share === 1 || isKept(record.sampleId(), share);
    },
  ];
}

function labelSteps({ labels }: NamedSteps): Step[] {
  if (labels === undefined) return [];
  const own = Object.entries(labels).map(([key, value]) => labelOf(key, value));
  const names = new Set(Object.keys(labels));
  return [
    (record, outcome) => {
      record.labels = [...record.labels.filter(({ key }) => !names.has(key)), ...own];
      outcome.isApplied = true;
      return true;
    },
  ];
}

function compileRule(rule: NamedSteps, allowance: Allowance): CompiledRule {
  const { drop = [], keep = [] } = rule;
  const ofPhase = (phase: 0 | 1 | 2) => [
    ...dropSteps(drop, phase, allowance),
    ...keepSteps(keep, phase, allowance),
  ];
  const steps = [
    ...ofPhase(0),
    ...parseSteps(rule, allowance),
    ...ofPhase(1),
    ...severityStep(rule),
    ...ofPhase(2),
    ...timeStep(rule),
    ...messageStep(rule),
    ...fieldSteps(rule),
    ...redactSteps(rule, allowance),
    ...sampleSteps(rule),
    ...labelSteps(rule),
  ];
  return { name: rule.name, stream: rule.stream, steps };
}

/** A search that takes too long changes nothing. */
function carryOut(step: Step, record: RuledRecord, outcome: RuleOutcome): boolean {
  try {
    return step(record, outcome);
  } catch (error) {
    if (!(error instanceof SearchSpent)) throw error;
    outcome.isMissed = true;
    return true;
  }
}

/** Compiled rules. */
export function createRecordRules(rules: readonly NamedSteps[]): RecordRules {
  const allowance = createAllowance();
  const compiled = rules.map((rule) => compileRule(rule, allowance));
  return {
    names: rules.map(({ name }) => name),
    rules,
    begin: () => allowance.reset(),
    apply(record) {
      const effects: RuleEffects = { misses: [], droppedBy: undefined, applied: [] };
      for (const [index, { stream, steps }] of compiled.entries()) {
        if (stream !== undefined && stream !== record.stream) continue;
        const outcome: RuleOutcome = { isMissed: false, isApplied: false };
        const isKeptBy = steps.every((step) => carryOut(step, record, outcome));
        if (outcome.isMissed) effects.misses.push(index);
        if (outcome.isApplied || !isKeptBy) effects.applied.push(index);
        if (isKeptBy) continue;
        effects.droppedBy = index;
        break;
      }
      allowance.endRecord();
      return effects;
    },
  };
}
