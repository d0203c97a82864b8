// Whether an entry, as the API shows it, is what a filter asks for.
//
// Strings compare without regard to case, except with `=~`; a member that is absent matches
// nothing, except severity, which is then DEFAULT. Source: the Logging query language's reference.

import assert from 'node:assert';
import type { JsonObject, JsonValue } from '@bufbuild/protobuf';
import { invalidArgument } from '../protocol/api-error.ts';
import type { FilterTree, Operator, ValueTree } from './list-filter.ts';
import { jsonNameOf, severityNumbers } from '../protocol/log-entry-types.ts';
import type { Instant } from '../protocol/timestamp.ts';
import { compareInstants, parseInstant } from '../protocol/timestamp.ts';

export type EntryMatch = (entry: JsonObject) => boolean;
type ValueMatch = (value: JsonValue) => boolean;

const everything: EntryMatch = () => true;

type Joined<Tree> =
  | { readonly kind: 'and' | 'or'; readonly terms: readonly Tree[] }
  | { readonly kind: 'not'; readonly term: Tree };

function compileJoined<Tree, Value>(
  tree: Joined<Tree>,
  compile: (term: Tree) => (value: Value) => boolean,
): (value: Value) => boolean {
  if (tree.kind === 'not') {
    const term = compile(tree.term);
    return (value) => !term(value);
  }
  const terms = tree.terms.map(compile);
  return tree.kind === 'and'
    ? (value) => terms.every((term) => term(value))
    : (value) => terms.some((term) => term(value));
}

/** Throws ApiError for values that cannot be compared with their field. */
export function compileFilter(tree: FilterTree | undefined): EntryMatch {
  if (tree === undefined) return everything;
  if (tree.kind === 'text') {
    const wanted = tree.text.toLowerCase();
    return (entry) => holdsText(entry, wanted);
  }
  if (tree.kind === 'compare') {
    // Top-level members may be written in snake_case.
    const [first = '', ...rest] = tree.path;
    const path = [jsonNameOf(first), ...rest];
    const match = compileValue(path, tree.operator, tree.value);
    return (entry) => valuesAt(entry, path, 0).some(match);
  }
  return compileJoined(tree, compileFilter);
}

function valuesAt(
  value: JsonValue | undefined,
  path: readonly string[],
  depth: number,
): JsonValue[] {
  if (value === undefined) return depth === 1 && path[0] === 'severity' ? ['DEFAULT'] : [];
  if (Array.isArray(value)) return value.flatMap((element) => valuesAt(element, path, depth));
  if (depth === path.length) return [value];
  if (value === null || typeof value !== 'object') return [];
  const key = path[depth] as string;
  if (Object.hasOwn(value, key) || depth + 1 === path.length) {
    return valuesAt(Object.hasOwn(value, key) ? value[key] : undefined, path, depth + 1);
  }
  // A label's key may have unquoted dots.
  const joined = path.slice(depth).join('.');
  return Object.hasOwn(value, joined) ? [value[joined] as JsonValue] : [];
}

function compileValue(path: readonly string[], operator: Operator, tree: ValueTree): ValueMatch {
  if (tree.kind === 'value') return compileOperator(path, operator, tree.text);
  return compileJoined(tree, (term) => compileValue(path, operator, term));
}

function compileOperator(path: readonly string[], operator: Operator, text: string): ValueMatch {
  if (operator === ':') {
    if (text === '*') return () => true;
    const wanted = text.toLowerCase();
    return (value) => holdsText(value, wanted);
  }
  if (operator === '=~' || operator === '!~') {
    const pattern = compilePattern(text);
    return (value) => pattern.test(textOf(value)) === (operator === '=~');
  }
  const order = compileOrder(path, text);
  const isOrdered = orderings[operator];
  assert(isOrdered !== undefined);
  return (value) => {
    const comparison = order(value);
    return comparison !== undefined && isOrdered(comparison);
  };
}

/** What an operator requires of the order of value and text. */
const orderings: Readonly<Record<string, (comparison: number) => boolean>> = {
  '=': (comparison) => comparison === 0,
  '!=': (comparison) => comparison !== 0,
  '>=': (comparison) => comparison >= 0,
  '<=': (comparison) => comparison <= 0,
  '>': (comparison) => comparison > 0,
  '<': (comparison) => comparison < 0,
};

/** Negative, zero or positive; undefined when value and `text` cannot be compared. */
function compileOrder(
  path: readonly string[],
  text: string,
): (value: JsonValue) => number | undefined {
  if (path.length === 1 && path[0] === 'severity') {
    const wanted = severityOf(text);
    if (wanted === undefined) throw invalidArgument(`Invalid severity in filter: ${text}`);
    return (value) => (severityOf(textOf(value)) ?? 0) - wanted;
  }
  if (path.length === 1 && (path[0] === 'timestamp' || path[0] === 'receiveTimestamp')) {
    const wanted = parseFilterInstant(text);
    return (value) => {
      const instant = parseInstant(textOf(value));
      return instant === undefined ? undefined : compareInstants(instant, wanted);
    };
  }
  const number = text.trim() === '' ? NaN : Number(text);
  const lower = text.toLowerCase();
  return (value) => {
    if (typeof value === 'number') return Number.isNaN(number) ? undefined : value - number;
    if (value !== null && typeof value === 'object') return undefined;
    const other = value === null ? 'null_value' : String(value).toLowerCase();
    if (other === lower) return 0;
    // An int64 is a string in JSON.
    if (!Number.isNaN(number) && /^-?\d+$/.test(other)) return Number(other) - number;
    return other < lower ? -1 : 1;
  };
}

function severityOf(text: string): number | undefined {
  const name = text.toUpperCase();
  if (Object.hasOwn(severityNumbers, name)) {
    return severityNumbers[name as keyof typeof severityNumbers];
  }
  return /^\d+$/.test(text) ? Number(text) : undefined;
}

/** RFC 3339, or a date alone. Throws ApiError for anything else. */
function parseFilterInstant(text: string): Instant {
  const instant = parseInstant(/^\d{4}-\d\d-\d\d$/.test(text) ? `${text}T00:00:00Z` : text);
  if (instant === undefined) throw invalidArgument(`Invalid timestamp in filter: ${text}`);
  return instant;
}

function compilePattern(text: string): RegExp {
  // The language is RE2, which has flags at the beginning.
  const flags = /^\(\?([ims]+)\)/.exec(text);
  try {
    return new RegExp(text.slice(flags?.[0].length ?? 0), `u${flags?.[1] ?? ''}`);
  } catch (error) {
    throw invalidArgument(`Invalid regular expression in filter: ${(error as Error).message}`);
  }
}

function textOf(value: JsonValue): string {
  return typeof value === 'string' ? value : JSON.stringify(value);
}

/** Whether a value below `value`, or a key of an object, contains the lower-case text. */
function holdsText(value: JsonValue, wanted: string): boolean {
  if (Array.isArray(value)) return value.some((element) => holdsText(element, wanted));
  if (value !== null && typeof value === 'object') {
    for (const [key, inner] of Object.entries(value)) {
      if (key.toLowerCase().includes(wanted) || holdsText(inner, wanted)) return true;
    }
    return false;
  }
  return String(value).toLowerCase().includes(wanted);
}

export type InstantBounds = { readonly from?: Instant; readonly to?: Instant };

/** The range of instants, ends included, outside of which the filter matches nothing. */
export function boundsOf(tree: FilterTree | undefined): InstantBounds {
  if (tree?.kind === 'and') return tree.terms.map(boundsOf).reduce(narrower, {});
  if (tree?.kind !== 'compare' || tree.path.length !== 1 || tree.path[0] !== 'timestamp') return {};
  if (tree.value.kind !== 'value') return {};
  const { operator, value } = tree;
  const instant = () => parseFilterInstant(value.text);
  if (operator === '=') return { from: instant(), to: instant() };
  if (operator === '>' || operator === '>=') return { from: instant() };
  if (operator === '<' || operator === '<=') return { to: instant() };
  return {};
}

function narrower(left: InstantBounds, right: InstantBounds): InstantBounds {
  const from = pick(left.from, right.from, 1);
  const to = pick(left.to, right.to, -1);
  return { ...(from && { from }), ...(to && { to }) };
}

/** The later of two instants for `sign` 1, the earlier for -1; undefined does not count. */
function pick(
  left: Instant | undefined,
  right: Instant | undefined,
  sign: 1 | -1,
): Instant | undefined {
  if (left === undefined || right === undefined) return left ?? right;
  return compareInstants(left, right) * sign >= 0 ? left : right;
}
