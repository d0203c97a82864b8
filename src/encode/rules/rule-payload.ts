// The payload of a record while rules work on it: a text, or the members of an object.
//
// Invariant: every value is valid JSON that can be sent: it was scanned, or written by
// JSON.stringify. Values that no rule touched are written unchanged.

import { limits } from '../../config.ts';
import { scanObject, type JsonObject, type Member } from '../json/object-scan.ts';
import { rawValue, stringValue } from '../json/json-text.ts';

/** JSON texts by name. */
export type Members = Map<string, string>;

/** The field name by which rules address a text. */
const textField = 'message';

/** The members of an object; undefined if the text is not one. */
export function membersOf(text: string): Members | undefined {
  const object = scanObject(text);
  return object && new Map(object.members.map((each) => [each.key, rawValue(object, each)]));
}

/** A string's content, or the JSON text of any other value. */
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

/** An object as text, with the positions of its members. */
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

/** The fields of a text that becomes an object. */
export type FieldsOfText = (text: string) => Members | undefined;

export class RulePayload {
  #text: string;
  #members: Members | undefined;
  #mayBeDeep = false;
  /** The message of an object that rules made from a text. */
  #madeMessage: string | undefined;
  readonly #fieldsOf: FieldsOfText;

  /**
   * With `members` it is an object, without them a text. A text that becomes an object has the
   * fields of `fieldsOf`; if there are none, it is the message.
   */
  constructor(
    text: string,
    members: Members | undefined,
    fieldsOf: FieldsOfText = () => undefined,
  ) {
    this.#text = text;
    this.#members = members;
    this.#fieldsOf = fieldsOf;
  }

  /** Undefined for an object. */
  get text(): string | undefined {
    return this.#members === undefined ? this.#text : undefined;
  }

  get members(): Members | undefined {
    return this.#members;
  }

  /** The text, also if rules have added fields to it; undefined for any other object. */
  get parsable(): string | undefined {
    const members = this.#members;
    if (members === undefined) return this.#text;
    const made = this.#madeMessage;
    return made !== undefined && members.get(textField) === made ? this.#text : undefined;
  }

  /** Replaces the text by its fields, beside those that rules have added. */
  replaceText(parsed: Members): void {
    if (this.#members === undefined) {
      this.replace(parsed);
      return;
    }
    this.#members.delete(textField);
    this.#madeMessage = undefined;
    this.merge(parsed);
  }

  /** Replaces the payload with a text. */
  setText(text: string): void {
    this.#text = text;
  }

  /** Replaces the payload with an object. */
  replace(members: Members): void {
    this.#members = members;
    this.#madeMessage = undefined;
  }

  /** Adds members; those with the same name are replaced. */
  merge(members: Members): void {
    this.#mayBeDeep = true;
    const own = this.#asMembers();
    for (const [key, raw] of members) own.set(key, raw);
  }

  /** The JSON text of a field; undefined if it is missing. */
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

  /** The content of a field, without converting a text to JSON. */
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

  /** The JSON text of a field, which is removed; undefined if it is missing. */
  take(path: string): string | undefined {
    if (this.get(path) === undefined) return undefined;
    this.#asMembers();
    const raw = this.get(path);
    this.remove(path);
    return raw;
  }

  remove(path: string): void {
    const members = this.#asMembers();
    if (members.delete(path) || !path.includes('.')) return;
    const [first = '', ...rest] = path.split('.');
    const inner = members.get(first);
    if (inner !== undefined) members.set(first, without(inner, rest));
  }

  /** The object; undefined if it is nested too deeply to be sent. */
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
    if (this.#members !== undefined) return this.#members;
    const message = JSON.stringify(this.#text);
    this.#members = this.#fieldsOf(this.#text) ?? new Map([[textField, message]]);
    this.#madeMessage = this.#members.get(textField);
    return this.#members;
  }
}

function within(raw: string | undefined): Members | undefined {
  return raw?.startsWith('{') === true ? membersOf(raw) : undefined;
}

/** `raw` with the value at the path; anything on the path that is not an object becomes one. */
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
