// The `redact` action of a rule: replaces what a pattern matches with the user's text.
//
//   text     every match
//   object   every match within the meaning of a string, and within a key, a number or a word,
//            which becomes a string
//
// Invariant: the result contains nothing that the pattern matches. A match that spans several
// strings is hidden as `--redact` hides it; if the search takes too long, the whole record is.

import type { Re2Pattern } from '../../re2-pattern.ts';
import type { RedactAction } from '../../rules/rule.ts';
import { scanTokens } from '../json/object-scan.ts';
import type { Allowance } from '../redaction/allowance.ts';
import { SearchSpent } from '../redaction/endable-text.ts';
import { redactedWhole } from '../redaction/redact-object.ts';
import { createRedactor } from '../redaction/redactor.ts';
import { membersOf, type RulePayload } from './rule-payload.ts';
import { groupText, RuleSearch, type Matcher } from './rule-search.ts';

type Replacing = {
  readonly search: RuleSearch;
  /** Texts, and references to groups between them. */
  readonly parts: readonly (string | number)[];
};

/** Whether anything was replaced. */
export type RedactStep = (payload: RulePayload) => boolean;

const reference = /\$(?:(\d{1,2})|\{(\w+)\}|(&)|(\$))|\\(\d)/g;

/** Splits `with` into parts; a reference to an unknown group is text. */
function partsOf(text: string, pattern: Re2Pattern): (string | number)[] {
  const names = pattern.namedGroups() as Readonly<Record<string, number>>;
  const parts: (string | number)[] = [];
  let end = 0;
  for (const match of text.matchAll(reference)) {
    const [whole, number, name = '', all, dollar, escaped] = match;
    const digits = number ?? escaped ?? (/^\d{1,2}$/.test(name) ? name : undefined);
    const named = Object.hasOwn(names, name) ? names[name] : undefined;
    const group = all === undefined ? (digits === undefined ? named : Number(digits)) : 0;
    parts.push(text.slice(end, match.index));
    end = match.index + whole.length;
    if (dollar !== undefined) parts.push('$');
    else if (group !== undefined && group <= pattern.groupCount()) parts.push(group);
    else parts.push(whole);
  }
  parts.push(text.slice(end));
  return parts.filter((part) => part !== '');
}

function expanded(text: string, parts: Replacing['parts'], matcher: Matcher): string {
  const texts = parts.map((part) =>
    typeof part === 'string' ? part : (groupText(text, matcher, part) ?? ''),
  );
  return texts.join('');
}

/** The text with each match replaced by the parts, or by `mask`. */
function replaced(text: string, { search, parts }: Replacing, mask?: string): string {
  const pieces: string[] = [];
  let end = 0;
  search.eachMatch(text, (matcher) => {
    pieces.push(text.slice(end, matcher.start()), mask ?? expanded(text, parts, matcher));
    end = matcher.end();
  });
  if (pieces.length === 0) return text;
  return `${pieces.join('')}${text.slice(end)}`.toWellFormed();
}

/** Redacts a key, string, number or word; returns a JSON string. */
function replacedToken(raw: string, replacing: Replacing, mask?: string): string {
  const meaning = raw.startsWith('"') ? (JSON.parse(raw) as string) : raw;
  const text = replaced(meaning, replacing, mask);
  if (mask === undefined) return text === meaning ? raw : JSON.stringify(text);
  // The letters of an escape mean nothing.
  return JSON.stringify(text).replaceAll(/\\(?:u[0-9a-f]{4}|.)/g, mask);
}

/** The object with the matches in its tokens replaced. */
function replacedObject(text: string, replacing: Replacing, mask?: string): string {
  const pieces: string[] = [];
  let end = 0;
  scanTokens(text, (kind, start, tokenEnd) => {
    if (kind === 'object' || kind === 'array' || kind === 'end') return;
    const token = replacedToken(text.slice(start, tokenEnd), replacing, mask);
    pieces.push(text.slice(end, start), token);
    end = tokenEnd;
  });
  return `${pieces.join('')}${text.slice(end)}`;
}

function redactText(payload: RulePayload, text: string, replacing: Replacing): boolean {
  const result = replaced(text, replacing);
  if (result === text) return false;
  payload.setText(result);
  return true;
}

function hideWhole(payload: RulePayload): true {
  payload.replace(new Map([['message', JSON.stringify(redactedWhole.text)]]));
  return true;
}

/** Matches that span several strings are hidden in another way. */
function hideRest(payload: RulePayload, text: string, { search }: Replacing): true {
  const hidden = createRedactor([search.source]).redact(text);
  const members = hidden?.mayBeObject === true ? membersOf(hidden.text) : undefined;
  if (members === undefined) return hideWhole(payload);
  payload.replace(members);
  return true;
}

function redactObject(payload: RulePayload, replacing: Replacing): boolean {
  const text = payload.toObject()?.text;
  if (text === undefined) return hideWhole(payload);
  const { search } = replacing;
  const isInText = search.test(text);
  if (!isInText && !text.includes('\\')) return false;
  const result = replacedObject(text, replacing);
  // The replacement texts must not produce new matches.
  const masked = isInText ? replacedObject(text, replacing, '\ue000') : '';
  if (isInText && search.test(masked)) return hideRest(payload, text, replacing);
  if (result === text) return false;
  const members = membersOf(result);
  if (members === undefined) return hideWhole(payload);
  payload.replace(members);
  return true;
}

/** One action; all actions of a source share one allowance. */
export function createRedactStep(action: RedactAction, allowance: Allowance): RedactStep {
  const search = new RuleSearch(action.pattern, allowance);
  const replacing: Replacing = { search, parts: partsOf(action.with, search.pattern) };
  return (payload) => {
    const { text } = payload;
    try {
      if (text === undefined) return redactObject(payload, replacing);
      return redactText(payload, text, replacing);
    } catch (error) {
      if (!(error instanceof SearchSpent)) throw error;
      if (text === undefined) return hideWhole(payload);
      payload.setText(redactedWhole.text);
      return true;
    }
  };
}
