// The rules of stack traces as tables that the kernel follows byte by byte: one deterministic
// automaton, into which each state of a trace has an entrance. The invariant: it ends a line where
// `traceRules` does, for every line (test/encode/trace-table.test.ts).
//
// A step of the automaton is a set of places in the patterns of one state's rules, together with
// the rule that has matched already. Only rules before that one are followed further: the first one
// wins.

import assert from 'node:assert';

import { type ByteSet, readPattern, type Syntax } from './rule-syntax.ts';
import { type Rule, traceRules, type TraceState } from './stack-trace.ts';

/** A place in a pattern. */
type Place =
  | { readonly kind: 'byte'; readonly set: ByteSet; readonly next: Place }
  | { readonly kind: 'start' | 'end'; readonly next: Place }
  | { readonly kind: 'fork'; ways: readonly Place[] }
  | { readonly kind: 'match' };

type BytePlace = Extract<Place, { kind: 'byte' }>;

/** No rule. */
const none = Infinity;

/** What may come next by rule, and the rules that match by now and if the line ends here. */
type Step = {
  readonly places: readonly { readonly rule: number; readonly place: BytePlace }[];
  readonly matched: number;
  readonly matchedAtEnd: number;
};

const match: Place = { kind: 'match' };

/** The places of a part that may be repeated before `next` follows. */
function repeatedPlaces(syntax: Syntax, next: Place): { part: Place; fork: Place } {
  const fork: Extract<Place, { kind: 'fork' }> = { kind: 'fork', ways: [] };
  const part = placesOf(syntax, fork);
  fork.ways = [part, next];
  return { part, fork };
}

/** The places of a pattern that `next` follows. */
function placesOf(syntax: Syntax, next: Place): Place {
  if (syntax.kind === 'bytes') return { kind: 'byte', set: syntax.set, next };
  if (!('parts' in syntax) && !('part' in syntax)) return { kind: syntax.kind, next };
  if ('parts' in syntax) {
    if (syntax.kind === 'sequence') {
      return syntax.parts.reduceRight((rest, part) => placesOf(part, rest), next);
    }
    return { kind: 'fork', ways: syntax.parts.map((part) => placesOf(part, next)) };
  }
  if (syntax.kind === 'option') {
    return { kind: 'fork', ways: [placesOf(syntax.part, next), next] };
  }
  const { part, fork } = repeatedPlaces(syntax.part, next);
  return syntax.kind === 'plus' ? part : fork;
}

/** What can be reached from a place without a byte. */
type Reach = {
  readonly places: readonly BytePlace[];
  readonly isMatch: boolean;
  readonly isMatchAtEnd: boolean;
};

const reaches = new Map<Place, Reach>();

function reachFrom(from: Place, isStart: boolean): Reach {
  const known = isStart ? undefined : reaches.get(from);
  if (known !== undefined) return known;
  const places: BytePlace[] = [];
  let [isMatch, isMatchAtEnd] = [false, false];
  const seen = new Set<Place>();
  const walk = (place: Place, isEnd: boolean): void => {
    if (place.kind === 'match') {
      isMatchAtEnd = true;
      if (!isEnd) isMatch = true;
    } else if (place.kind === 'byte') {
      if (!isEnd) places.push(place);
    } else if (place.kind === 'fork') {
      if (seen.has(place)) return;
      seen.add(place);
      for (const way of place.ways) walk(way, isEnd);
    } else if (place.kind === 'end' || isStart) {
      walk(place.next, isEnd || place.kind === 'end');
    }
  };
  walk(from, false);
  const reach = { places, isMatch, isMatchAtEnd };
  if (!isStart) reaches.set(from, reach);
  return reach;
}

/** The step at `places`, which are in the order of their rules. */
function stepAt(
  places: readonly { readonly rule: number; readonly place: Place }[],
  { isStart, matched: before }: { readonly isStart: boolean; readonly matched: number },
): Step {
  let [matched, matchedAtEnd] = [before, before];
  const found = new Map<BytePlace, number>();
  for (const { rule, place } of places) {
    if (rule >= matched) break;
    const reach = reachFrom(place, isStart);
    if (reach.isMatch) matched = rule;
    if (reach.isMatchAtEnd) matchedAtEnd = Math.min(matchedAtEnd, rule);
    for (const next of reach.places) found.set(next, rule);
  }
  const open = [...found].filter(([, rule]) => rule < matched);
  return { places: open.map(([place, rule]) => ({ rule, place })), matched, matchedAtEnd };
}

/** For each byte the number of its class: bytes of one class are alike to every pattern. */
function classify(sets: Iterable<ByteSet>): { classes: Uint8Array; samples: number[] } {
  const columns = new Map<string, number>();
  const samples: number[] = [];
  const all = [...sets];
  const classes = Uint8Array.from({ length: 256 }, (_, byte) => {
    const column = all.map((set) => set[byte]).join('');
    if (!columns.has(column)) samples.push(byte);
    const known = columns.get(column) ?? columns.size;
    columns.set(column, known);
    return known;
  });
  return { classes, samples };
}

function collectSets(syntax: Syntax, sets: Set<ByteSet>): void {
  if (syntax.kind === 'bytes') sets.add(syntax.set);
  else if ('parts' in syntax) for (const part of syntax.parts) collectSets(part, sets);
  else if ('part' in syntax) collectSets(syntax.part, sets);
}

/** States by their numbers: the first one is where an encoder starts. */
const stateNames = Object.keys(traceRules) as TraceState[];

/**
 * The rules of the first state by automaton, in their order: one of all ten would have five times
 * as many steps as these together.
 */
const startGroups = [3, 5, 2];
assert(startGroups.reduce((sum, size) => sum + size, 0) === traceRules.idle.length);

/** As many entrances lead to the rules of the first state, before one for each other state. */
export const startEntrances = startGroups.length;

export type TraceTable = {
  /** The class of each byte. */
  readonly classes: Uint8Array;
  readonly classCount: number;
  /** The steps that a line begins with. */
  readonly entrances: readonly number[];
  /** The steps that follow a step, by class. */
  readonly steps: readonly (readonly number[])[];
  /** When the line ends there: 0, or one more than the number of the trace's next state. */
  readonly ends: readonly number[];
  /** Steps below it do not depend on the rest of the line. */
  readonly settledCount: number;
};

type FoundStep = { readonly rules: readonly Rule[]; readonly step: Step };

/** The next state by `rules` when the rule at `index` has matched, plus one; 0 when none has. */
function endOf(rules: readonly Rule[], index: number): number {
  const to = rules[index]?.[1];
  return to === undefined ? 0 : stateNames.indexOf(to) + 1;
}

/** Numbers the steps that can be reached. */
class StepList {
  readonly #known = new Map<string, number>();
  readonly #placeNumbers = new Map<Place, number>();
  readonly list: FoundStep[] = [];

  add(rules: readonly Rule[], step: Step): number {
    const places = step.places.map(({ place }) => this.#numberOf(place));
    // Where nothing more can match it does not matter whose rules they were.
    const ends = [endOf(rules, step.matched), endOf(rules, step.matchedAtEnd)];
    const key = `${places.toSorted((one, other) => one - other).join()}:${ends.join()}`;
    const known = this.#known.get(key);
    if (known !== undefined) return known;
    this.#known.set(key, this.list.length);
    return this.list.push({ rules, step }) - 1;
  }

  #numberOf(place: Place): number {
    const number = this.#placeNumbers.get(place) ?? this.#placeNumbers.size;
    this.#placeNumbers.set(place, number);
    return number;
  }
}

/** The rules of each entrance. */
function rulesByEntrance(): (readonly Rule[])[] {
  let from = 0;
  const starts = startGroups.map((size) => traceRules.idle.slice(from, (from += size)));
  return [...starts, ...stateNames.slice(1).map((name) => traceRules[name])];
}

export function buildTraceTable(): TraceTable {
  const rulesOf = rulesByEntrance();
  const patterns = rulesOf.map((rules) => rules.map(([pattern]) => readPattern(pattern)));
  const sets = new Set<ByteSet>();
  for (const pattern of patterns.flat()) collectSets(pattern, sets);
  const { classes, samples } = classify(sets);
  const found = new StepList();
  const entrances = patterns.map((syntaxes, index) => {
    const places = syntaxes.map((syntax, rule) => ({ rule, place: placesOf(syntax, match) }));
    return found.add(rulesOf[index]!, stepAt(places, { isStart: true, matched: none }));
  });
  const steps: number[][] = [];
  // The list grows while it is read.
  for (const { rules, step } of found.list) {
    // Most bytes lead to where others lead, too.
    const known = new Map<string, number>();
    const nextOf = (byte: number): number => {
      const taken = step.places.filter(({ place }) => place.set[byte] === 1);
      const key = taken.map((one) => step.places.indexOf(one)).join();
      const next = known.get(key);
      if (next !== undefined) return next;
      const places = taken.map(({ rule, place }) => ({ rule, place: place.next }));
      const index = found.add(rules, stepAt(places, { isStart: false, matched: step.matched }));
      known.set(key, index);
      return index;
    };
    steps.push(samples.map(nextOf));
  }
  const classCount = samples.length;
  return { classes, classCount, ...inOrder({ entrances, steps, found: found.list }) };
}

type Unordered = Pick<TraceTable, 'entrances' | 'steps'> & { readonly found: readonly FoundStep[] };

/** The same with the settled steps first. */
function inOrder({
  entrances,
  steps,
  found,
}: Unordered): Omit<TraceTable, 'classes' | 'classCount'> {
  const settled: number[] = [];
  const others: number[] = [];
  for (const [index, { step }] of found.entries()) {
    const isSettled = step.places.length === 0 && step.matched === step.matchedAtEnd;
    (isSettled ? settled : others).push(index);
  }
  const order = [...settled, ...others];
  const numbers = new Map(order.map((index, number) => [index, number]));
  const numberOf = (index: number) => numbers.get(index)!;
  return {
    entrances: entrances.map(numberOf),
    steps: order.map((index) => steps[index]!.map(numberOf)),
    ends: order.map((index) => endOf(found[index]!.rules, found[index]!.step.matchedAtEnd)),
    settledCount: settled.length,
  };
}
