// Encodes a record that has rules: applies the rules, then the reference encoder as for any other
// record.
//
// Invariant: if the result cannot be sent, the record is shipped as written, which counts as a miss
// of the last rule that changed it.

import { limits } from '../../config.ts';
import type { NamedSteps } from '../../rules/resolve-rules.ts';
import type { EncodeContext } from '../entries/entry.ts';
import {
  encodeRecord,
  encodeShape,
  encodeText,
  mayBeObject,
  utf8,
  type EncodedRecord,
  type RecordInput,
  type Shape,
} from '../entries/log-entry.ts';
import { severityOfStream } from '../entries/severity.ts';
import type { Redacted } from '../redaction/redact-object.ts';
import {
  createRecordRules,
  type RecordRules,
  type RuledRecord,
  type RuleEffects,
} from './record-rules.ts';
import { parseKlogLine } from './line-parsers.ts';
import { membersOf, RulePayload } from './rule-payload.ts';

/** By the JSON of the rules, which most containers and all tasks share. */
const compiledRules = new Map<string, RecordRules>();

/** The rules of a source, from their JSON; each source of a task starts with fresh state. */
export function openRecordRules(steps: string): RecordRules {
  let rules = compiledRules.get(steps);
  if (rules === undefined) {
    if (compiledRules.size >= limits.ruleListsKept) compiledRules.clear();
    rules = createRecordRules(JSON.parse(steps) as readonly NamedSteps[]);
    compiledRules.set(steps, rules);
  }
  rules.begin();
  return rules;
}

/** The result of applying rules to a record. */
export type RuledResult = {
  /** undefined: a rule dropped it. */
  readonly encoded: EncodedRecord | undefined;
  readonly effects: RuleEffects;
};

export type RuledInput = {
  readonly record: RecordInput;
  /** It is not in its file's format. */
  readonly isText: boolean;
  readonly sampleId: () => string;
};

function openRecord({ record, isText, sampleId }: RuledInput, content: Redacted): RuledRecord {
  const { text } = content;
  const stream = isText ? 'stdout' : record.stream;
  const isObject = !isText && content.mayBeObject;
  return {
    text,
    stream,
    time: record.time,
    payload: new RulePayload(
      text,
      isObject ? membersOf(text) : undefined,
      isText ? undefined : parseKlogLine,
    ),
    sampleId,
    streamSeverity: isText ? 'DEFAULT' : severityOfStream(stream),
    severity: undefined,
    eventTime: undefined,
    labels: [],
    isRedacted: false,
  };
}

/** The encoder's input; undefined if it cannot be sent. */
function shapeOf(ruled: RuledRecord, bytesMax: number): Shape | undefined {
  const { payload, severity, eventTime, labels } = ruled;
  const { text } = payload;
  const object = text === undefined ? payload.toObject() : undefined;
  const shaped = text ?? object?.text;
  if (shaped === undefined || shaped.length > bytesMax) return undefined;
  return { text: shaped, object, severity, eventTime, labels };
}

/** Searches again the fields that a rule parsed from a text: escapes can hide matches. */
export function redactAgain(ruled: RuledRecord, redactor: EncodeContext['redactor']): void {
  const text = redactor === undefined ? undefined : ruled.payload.toObject()?.text;
  const redacted = text === undefined ? undefined : redactor?.redact(text);
  if (redacted === undefined) return;
  const members = redacted.mayBeObject ? membersOf(redacted.text) : undefined;
  ruled.payload.replace(members ?? new Map([['message', JSON.stringify(redacted.text)]]));
  ruled.isRedacted = true;
}

/** Applies the rules and encodes the result. */
export function encodeRuled(
  input: RuledInput,
  rules: RecordRules,
  context: EncodeContext,
): RuledResult {
  const { record, isText } = input;
  const written = utf8.decode(record.content);
  const redacted = context.redactor?.redact(written);
  const content = redacted ?? { text: written, mayBeObject: mayBeObject(record.content) };
  const ruled = openRecord(input, content);
  if (redacted !== undefined) ruled.isRedacted = true;
  const effects = rules.apply(ruled);
  if (effects.droppedBy !== undefined) return { encoded: undefined, effects };
  if (ruled.payload.text === undefined) redactAgain(ruled, context.redactor);
  const shape = shapeOf(ruled, Math.max(record.content.length, limits.lineBytesMax));
  if (shape === undefined) {
    const last = effects.applied.at(-1) ?? 0;
    if (!effects.misses.includes(last)) effects.misses.push(last);
    const plain = { ...record, ...(ruled.isRedacted && { content: Buffer.from('[REDACTED]') }) };
    return { encoded: (isText ? encodeText : encodeRecord)(plain, context), effects };
  }
  const encoded = encodeShape({ record, isText, shape, isRedacted: ruled.isRedacted }, context);
  return { encoded, effects };
}
