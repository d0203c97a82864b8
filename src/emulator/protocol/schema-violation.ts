// What is wrong with a JSON value that does not fit its message type, in the words of Google's
// front end.
//
// `fromJson` is the judge; the walk here finds the place and the words, and refuses what `fromJson`
// is too lenient about (30 February, `"3.5sX"`, `"0x10"`).

import type { DescField, DescMessage, JsonValue } from '@bufbuild/protobuf';
import { fromJson, ScalarType } from '@bufbuild/protobuf';
import type { ApiError } from './api-error.ts';
import { invalidArgument } from './api-error.ts';
import { jsonNameOf } from './log-entry-types.ts';
import { registry } from './log-entry-schema.ts';
import { parseInstant } from './timestamp.ts';

/** A place such as `entries[0].text_payload` ('' is the root) and a sentence. */
export type Violation = { readonly field: string; readonly description: string };

/** The front end names every violation; a nonsensical body must not make an answer of megabytes. */
const violationCountMax = 20;

/** The 400 that refuses a whole request. */
export function schemaError(violations: readonly Violation[]): ApiError {
  const shown = violations.slice(0, violationCountMax);
  return invalidArgument(shown.map((violation) => violation.description).join('\n'), [
    { '@type': 'type.googleapis.com/google.rpc.BadRequest', fieldViolations: shown },
  ]);
}

export function unknownName(key: string, path: string, reason = 'Cannot find field.'): Violation {
  const location = path === '' ? '' : ` at '${path}'`;
  return {
    field: path,
    description: `Invalid JSON payload received. Unknown name "${key}"${location}: ${reason}`,
  };
}

function invalidValue(path: string, type: string, value: unknown): Violation {
  const text = JSON.stringify(value) ?? 'null';
  const shown = text.length > 200 ? `${text.slice(0, 200)}…` : text;
  return {
    field: path,
    description: `Invalid value at '${path}' (${type}), ${shown}`,
  };
}

function joined(path: string, name: string): string {
  return path === '' ? name : `${path}.${name}`;
}

/** `['entries', 3, 'jsonPayload', 'a']` as `entries[3].json_payload.a`, by proto names. */
export function locationOf(root: DescMessage, path: readonly (string | number)[]): string {
  let desc: DescMessage | undefined = root;
  let location = '';
  for (const step of path) {
    if (typeof step === 'number') {
      location += `[${step}]`;
      continue;
    }
    const field: DescField | undefined = desc?.fields.find((one) => one.jsonName === step);
    location = joined(location, field?.name ?? step);
    desc = field?.message;
  }
  return location;
}

/** Every violation of `json` as a message of type `desc`; empty when it is valid. */
export function violationsOf(desc: DescMessage, json: JsonValue, path: string): Violation[] {
  const violations: Violation[] = [];
  walkMessage(desc, json, path, violations);
  if (violations.length === 0 && !isAccepted(desc, json)) {
    violations.push(invalidValue(path, typeUrl(desc.typeName), json));
  }
  return violations;
}

function isAccepted(desc: DescMessage, json: JsonValue): boolean {
  try {
    fromJson(desc, json, { registry });
    return true;
  } catch {
    // Its message names no place.
    return false;
  }
}

function typeUrl(typeName: string): string {
  return `type.googleapis.com/${typeName}`;
}

function walkMessage(desc: DescMessage, json: JsonValue, path: string, found: Violation[]): void {
  if (desc.typeName.startsWith('google.protobuf.')) {
    if (!isWellKnownValue(desc, json)) found.push(invalidValue(path, typeUrl(desc.typeName), json));
    return;
  }
  if (json === null || typeof json !== 'object' || Array.isArray(json)) {
    found.push(invalidValue(path, typeUrl(desc.typeName), json));
    return;
  }
  const seen = new Set<string>();
  for (const [key, value] of Object.entries(json)) {
    const field = desc.fields.find((one) => one.name === key || one.jsonName === key);
    if (field === undefined) {
      found.push(unknownName(key, path));
      continue;
    }
    if (seen.has(field.name)) found.push(unknownName(key, path, 'Proto field is already set.'));
    seen.add(field.name);
    if (value === null) continue;
    const oneof = field.oneof?.name;
    if (oneof !== undefined) {
      if (seen.has(`oneof ${oneof}`)) {
        found.push({
          field: path,
          description:
            `Invalid value at '${path}' (oneof), oneof field '${oneof}' is already set. ` +
            `Cannot set '${field.jsonName}'`,
        });
      }
      seen.add(`oneof ${oneof}`);
    }
    walkField(field, value, joined(path, field.name), found);
  }
}

function walkField(field: DescField, value: JsonValue, path: string, found: Violation[]): void {
  if (field.fieldKind === 'list') {
    if (!Array.isArray(value)) {
      found.push(invalidValue(path, listTypeName(field), value));
      return;
    }
    for (const [index, element] of value.entries()) {
      const item = `${path}[${index}]`;
      if (field.listKind === 'message') walkMessage(field.message, element, item, found);
      else if (typeof element !== 'string') found.push(invalidValue(item, 'TYPE_STRING', element));
    }
    return;
  }
  if (Array.isArray(value) && !isListType(field)) {
    const parent = path.slice(0, Math.max(0, path.lastIndexOf('.')));
    const reason = 'Proto field is not repeating, cannot start list.';
    found.push(unknownName(jsonNameOf(field.name), parent, reason));
  } else if (field.fieldKind === 'map') walkMap(value, path, found);
  else if (field.fieldKind === 'message') walkMessage(field.message, value, path, found);
  else if (field.fieldKind === 'enum') {
    const isKnown = field.enum.values.some((one) => one.name === value);
    if (!isKnown && !isInteger(value, 32)) {
      found.push(invalidValue(path, typeUrl(field.enum.typeName), value));
    }
  } else if (!isScalar(field.scalar, value)) {
    found.push(invalidValue(path, `TYPE_${ScalarType[field.scalar]}`, value));
  }
}

function listTypeName(field: DescField & { fieldKind: 'list' }): string {
  return field.listKind === 'message' ? typeUrl(field.message.typeName) : 'TYPE_STRING';
}

function isListType(field: DescField): boolean {
  return field.fieldKind === 'message' && field.message.typeName === 'google.protobuf.Value';
}

function walkMap(value: JsonValue, path: string, found: Violation[]): void {
  if (value === null || typeof value !== 'object' || Array.isArray(value)) {
    found.push(invalidValue(path, 'TYPE_MESSAGE', value));
    return;
  }
  for (const [index, element] of Object.values(value).entries()) {
    if (typeof element !== 'string') {
      found.push(invalidValue(`${path}[${index}].value`, 'TYPE_STRING', element));
    }
  }
}

function isInteger(value: JsonValue, bits: 32 | 64): boolean {
  if (typeof value === 'string' ? !/^-?\d{1,19}$/.test(value) : !Number.isInteger(value)) {
    return false;
  }
  const integer = BigInt(value as string | number);
  return BigInt.asIntN(bits, integer) === integer;
}

function isScalar(scalar: ScalarType, value: JsonValue): boolean {
  if (scalar === ScalarType.STRING) return typeof value === 'string';
  if (scalar === ScalarType.BOOL) return typeof value === 'boolean';
  return isInteger(value, scalar === ScalarType.INT32 ? 32 : 64);
}

function isWellKnownValue(desc: DescMessage, json: JsonValue): boolean {
  if (desc.typeName === 'google.protobuf.Timestamp') {
    return typeof json === 'string' && parseInstant(json) !== undefined;
  }
  if (desc.typeName === 'google.protobuf.Duration') {
    if (typeof json !== 'string' || !/^-?\d+(?:\.\d{1,9})?s$/.test(json)) return false;
  }
  return isAccepted(desc, json);
}
