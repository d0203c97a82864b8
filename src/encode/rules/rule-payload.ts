// The payload of a record while rules work on it: a text, or the members of an object.
//
// Invariant: every value is valid JSON that can be sent: it was scanned, or written by
// JSON.stringify. What no rule touched is written as it came.

import { limits } from '../../config.ts';
import { scanObject, type JsonObject, type Member } from '../json/object-scan.ts';
import { rawValue, stringValue } from '../json/json-text.ts';

/** JSON texts by name. */
export type Members = Map<string, string>;

/** The field that a text is. */
const textField = 'message';

/** The members of an object; undefined when the text is none. */
export function membersOf(text: string): Members | undefined {
  const object = scanObject(text);
  return object && new Map(object.members.map((each) => [each.key, rawValue(object, each)]));
}

/** What a value says: a string's meaning, or the JSON text of anything else. */
export function meaningOf(raw: string): string {
  return stringValue(raw) ?? raw;
}

/** Programs write the same keys again and again. */
const quotedKeys = new Map<string, string>();
const quotedKeysMax = 1_024;
const quotedKeyCharactersMax = 64;

function quotedKey(key: string): string {
  const known = quotedKeys.get(key);
  if (known !== undefined) return known;
  const quoted = JSON.stringify(key);
  if (key.length > quotedKeyCharactersMax) return quoted;
  if (quotedKeys.size >= quotedKeysMax) quotedKeys.clear();
  quotedKeys.set(key, quoted);
  return quoted;
}

/** An object as text, and where its members are. */
function objectOf(fields: Members): JsonObject {
  const members: Member[] = [];
  let text = '{';
  let end = 1;
  for (const [key, raw] of fields) {
    const keyStart = members.length > 0 ? end + 1 : end;
    const quoted = quotedKey(key);
    const keyEnd = keyStart + quoted.length;
    text += members.length > 0 ? `,${quoted}:${raw}` : `${quoted}:${raw}`;
    end = keyEnd + 1 + raw.length;
    members.push({ key, keyStart, keyEnd, valueStart: keyEnd + 1, valueEnd: end });
  }
  return { text: `${text}}`, members, isCompact: true };
}

/** Levels of nesting of a value. */
function depthOf(raw: string): number {
  let depth = 0;
  let deepest = 0;
  for (let at = 0, inString = false; at < raw.length; at++) {
    const code = raw.charCodeAt(at);
    if (inString) {
      if (code === 0x5c) at++;
      else if (code === 0x22) inString = false;
    } else if (code === 0x22) inString = true;
    else if (code === 0x7b || code === 0x5b) deepest = Math.max(deepest, ++depth);
    else if (code === 0x7d || code === 0x5d) depth--;
  }
  return deepest;
}

export class RulePayload {
  #text: string;
  #members: Members | undefined;
  #mayBeDeep = false;

  /** `members` are those of an object; without them it is a text. */
  constructor(text: string, members: Members | undefined) {
    this.#text = text;
    this.#members = members;
  }

  /** Undefined when it is an object. */
  get text(): string | undefined {
    return this.#members === undefined ? this.#text : undefined;
  }

  get members(): Members | undefined {
    return this.#members;
  }

  /** Becomes another text. */
  setText(text: string): void {
    this.#text = text;
  }

  /** Becomes an object, with nothing of what was before. */
  replace(members: Members): void {
    this.#members = members;
  }

  /** Takes members in; those of the same name are replaced. */
  merge(members: Members): void {
    this.#mayBeDeep = true;
    const own = this.#asMembers();
    for (const [key, raw] of members) own.set(key, raw);
  }

  /** The JSON text of a field; undefined when it is not there. */
  get(path: string): string | undefined {
    if (this.#members === undefined) {
      return path === textField ? JSON.stringify(this.#text) : undefined;
    }
    const whole = this.#members.get(path);
    if (whole !== undefined || !path.includes('.')) return whole;
    const [first = '', ...rest] = path.split('.');
    return rest.reduce<string | undefined>(
      (raw, key) => within(raw)?.get(key),
      this.#members.get(first),
    );
  }

  /** What a field says, without making JSON of a text. */
  meaning(path: string): string | undefined {
    if (this.#members === undefined) return path === textField ? this.#text : undefined;
    const raw = this.get(path);
    return raw === undefined ? undefined : meaningOf(raw);
  }

  set(path: string, raw: string): void {
    const members = this.#asMembers();
    if (members.has(path) || !path.includes('.')) {
      members.set(path, raw);
      return;
    }
    this.#mayBeDeep = true;
    const [first = '', ...rest] = path.split('.');
    members.set(first, written(members.get(first), rest, raw));
  }

  remove(path: string): void {
    const members = this.#asMembers();
    if (members.delete(path) || !path.includes('.')) return;
    const [first = '', ...rest] = path.split('.');
    const inner = members.get(first);
    if (inner !== undefined) members.set(first, without(inner, rest));
  }

  /** The object; undefined when it is nested too deeply to be sent. */
  toObject(): JsonObject | undefined {
    const members = this.#asMembers();
    if (this.#mayBeDeep) {
      for (const raw of members.values()) {
        if (depthOf(raw) >= limits.jsonDepthMax) return undefined;
      }
    }
    return objectOf(members);
  }

  #asMembers(): Members {
    this.#members ??= new Map([[textField, JSON.stringify(this.#text)]]);
    return this.#members;
  }
}

function within(raw: string | undefined): Members | undefined {
  return raw?.startsWith('{') === true ? membersOf(raw) : undefined;
}

/** `raw` with the value at the path; what is no object on the way becomes one. */
function written(raw: string | undefined, path: readonly string[], value: string): string {
  const [key, ...rest] = path;
  if (key === undefined) return value;
  const members = within(raw) ?? new Map<string, string>();
  members.set(key, written(members.get(key), rest, value));
  return objectOf(members).text;
}

/** `raw` without the value at the path. */
function without(raw: string, path: readonly string[]): string {
  const [key, ...rest] = path;
  const members = within(raw);
  const inner = key === undefined ? undefined : members?.get(key);
  if (members === undefined || key === undefined || inner === undefined) return raw;
  if (rest.length === 0) members.delete(key);
  else members.set(key, without(inner, rest));
  return objectOf(members).text;
}
