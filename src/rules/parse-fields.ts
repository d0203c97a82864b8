// Reads the actions of a rule that name fields, and those that apply to all entries of a container.

import { limits } from '../config.ts';
import { isProjectId, projectIdText } from '../project-id.ts';
import type { LabelSource, TemplateSettings } from './rule.ts';
import type { WrittenValue } from './written-value.ts';

/** As JSON.stringify escapes it; a backslash that is content is written as two. */
const loneSurrogate = /(?<!\\)(?:\\\\)*\\ud[89a-f]/;

const pathText = 'a field of the payload, such as level or http.status';

/** Reports a list with more than the allowed number of items. */
function boundList(written: WrittenValue, count: number): void {
  if (count > limits.ruleListMax) written.note(`has ${count} of at most ${limits.ruleListMax}`);
}

/** `a` or `a.b`. */
export function readFieldPath(written: WrittenValue): string {
  const text = written.text(pathText);
  if (text !== '' && !isFieldPath(text)) written.refuse(pathText);
  return text;
}

/** The name of a field on the left-hand side of a map. */
function checkKey(written: WrittenValue, key: string): void {
  if (!isFieldPath(key)) written.note(`is no field; allowed is ${pathText}`);
}

function isFieldPath(text: string): boolean {
  const parts = text.split('.');
  const isShort = parts.length <= limits.rulePathPartsMax;
  return isShort && parts.every((part) => part !== '') && text.isWellFormed();
}

/** `{old: new}`. */
export function readRename(written: WrittenValue): [string, string][] {
  const members = written.members('an object of old: new');
  boundList(written, members.length);
  return members.map(([from, to]) => {
    checkKey(to, from);
    return [from, readFieldPath(to)];
  });
}

/** `{field: value}`; a value is anything that JSON can hold. */
export function readSet(written: WrittenValue): [string, string][] {
  const members = written.members('an object of field: value');
  boundList(written, members.length);
  return members.map(([path, value]) => {
    checkKey(value, path);
    const json = jsonOf(value.value);
    if (json === undefined) {
      value.refuse('a text, a number, true, false, null, a list or an object');
    } else if (json.length > limits.ruleValueCharactersMax) {
      value.note(`is longer than ${limits.ruleValueCharactersMax} characters`);
    }
    return [path, json ?? 'null'];
  });
}

/**
 * YAML allows infinity, integers beyond a double, and half of a surrogate pair; the API does not.
 */
function jsonOf(value: unknown): string | undefined {
  if (typeof value === 'number' && !Number.isFinite(value)) return undefined;
  if (typeof value === 'bigint' || typeof value === 'symbol') return undefined;
  try {
    const json = JSON.stringify(value);
    return json === undefined || loneSurrogate.test(json) ? undefined : json;
  } catch {
    return undefined; // A YAML alias can point to the value that contains it.
  }
}

type Given = Partial<Record<'labels' | 'project' | 'logName' | 'resource', WrittenValue>>;

/** Settings that all entries of a container share. */
export function readTemplate({ labels, project, logName, resource }: Given): TemplateSettings {
  return {
    ...(labels && { labels: readLabels(labels) }),
    ...(project && { project: readProject(project) }),
    ...(logName && { logName: readLogName(logName) }),
    ...(resource && { resource: readTexts(resource) }),
  };
}

function readTexts(written: WrittenValue): Record<string, string> {
  const members = written.members('an object of name: text');
  boundList(written, members.length);
  return Object.fromEntries(
    members.map(([name, value]) => [name.toWellFormed(), labelText(value)]),
  );
}

function labelText(written: WrittenValue): string {
  const text = written.anyText('a text');
  if (text.length > limits.ruleLabelCharactersMax) {
    written.note(`is longer than ${limits.ruleLabelCharactersMax} characters`);
  }
  return text.toWellFormed();
}

function readLabels(written: WrittenValue): Record<string, LabelSource> {
  const members = written.members('an object of name: text');
  if (members.length > limits.ruleLabelsMax) {
    written.note(`has ${members.length} of at most ${limits.ruleLabelsMax}`);
  }
  return Object.fromEntries(
    members.map(([key, value]) => {
      if (Buffer.byteLength(key) > limits.labelKeyBytesMax || key === '') {
        value.note(`has a name that is empty or longer than ${limits.labelKeyBytesMax} bytes`);
      }
      return [key.toWellFormed(), readLabelSource(value)];
    }),
  );
}

function readLabelSource(written: WrittenValue): LabelSource {
  if (!written.isObject) return { value: labelText(written) };
  const given = written.fields(['podLabel', 'annotation', 'default'] as const);
  const { podLabel, annotation } = given;
  const fallback = given.default && { default: labelText(given.default) };
  if (podLabel !== undefined && annotation === undefined) {
    return { podLabel: podLabel.text(), ...fallback };
  }
  if (annotation !== undefined && podLabel === undefined) {
    return { annotation: annotation.text(), ...fallback };
  }
  written.refuse('a text, {podLabel: NAME} or {annotation: NAME}');
  return { value: '' };
}

function readProject(written: WrittenValue): string {
  const text = written.text(projectIdText);
  if (text !== '' && !isProjectId(text)) written.refuse(projectIdText);
  return text;
}

const logNamePattern = /^[A-Za-z0-9/_.-]{1,511}$/;

function readLogName(written: WrittenValue): string {
  const allowed = 'up to 511 letters, digits and / _ . -, without projects/…/logs/';
  const text = written.text(allowed);
  const isFine = logNamePattern.test(text) && !/^projects\/|^\//.test(text);
  if (text !== '' && !isFine) written.refuse(allowed);
  return text;
}
