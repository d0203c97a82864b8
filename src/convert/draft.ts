// The result of a conversion so far: options, rules, and a note for each relevant directive.
//
// Invariant: everything in it is valid. An option or action that tailship would refuse becomes a
// note with the reason, so the result can always be loaded.

import { AgentError } from '../errors.ts';
import { listKinds } from '../options/option-row.ts';
import { parseOptionValue } from '../options/option-value.ts';
import { options, type ConfigKey, type OptionRow } from '../options/options.ts';
import { parseRules } from '../rules/parse-rules.ts';
import { isComputed, isOn, type Directive, type Place } from './section.ts';

/** `taken`: it means the same. `changed`: it works differently. `none`: it has no equivalent. */
export type NoteKind = 'taken' | 'changed' | 'none';

export type Note = Place & {
  readonly kind: NoteKind;
  readonly subject: string;
  readonly text: string;
};

export type DraftRule = { readonly place: Place; readonly rule: Readonly<Record<string, unknown>> };

/** A position file that the configuration names. */
export type NamedPositionFile = Place & { readonly path: string };

/** undefined: all containers. */
export type RuleGlobs = readonly string[] | undefined;

/** Where a rule comes from, and which containers it is for. */
export type RuleSite = {
  readonly place: Place;
  readonly subject: string;
  readonly globs: RuleGlobs;
  readonly labels?: Readonly<Record<string, string>>;
  /** Some of these containers are read by an input that the filter is not for. */
  readonly isShared?: boolean;
};

function matchOf({ globs, labels = {} }: RuleSite): Readonly<Record<string, unknown>> {
  const isByLabel = Object.keys(labels).length > 0;
  const containers = globs?.length === 1 ? globs[0] : globs;
  if (isByLabel) return { match: { ...(containers !== undefined && { containers }), labels } };
  return containers === undefined ? {} : { match: containers };
}

/** A filter drops nothing of an input that it is not for; what else it does is said. */
function isRefused(
  { isShared = false, place, subject }: RuleSite,
  draft: Draft,
  actions: Readonly<Record<string, unknown>>,
): boolean {
  if (!isShared) return false;
  const isDropping = ['drop', 'keep', 'sample'].some((key) => key in actions);
  const text = 'another input reads some of these containers, too';
  if (isDropping) draft.note('none', place, subject, `${text}: write the rule yourself`);
  else draft.note('changed', place, subject, `${text}: the rule is for them as well`);
  return isDropping;
}

function isMatchByLabel(match: unknown): boolean {
  return typeof match === 'object' && match !== null && 'labels' in match;
}

export class Draft {
  readonly #options = new Map<ConfigKey, unknown>();
  readonly #rules: DraftRule[] = [];
  readonly #notes: Note[] = [];
  readonly #positionFiles: NamedPositionFile[] = [];
  #labelsOff: Directive | undefined;

  get options(): ReadonlyMap<ConfigKey, unknown> {
    return this.#options;
  }

  get rules(): readonly DraftRule[] {
    return this.#rules;
  }

  get notes(): readonly Note[] {
    return this.#notes;
  }

  get positionFiles(): readonly NamedPositionFile[] {
    return this.#positionFiles;
  }

  note(kind: NoteKind, { file, line }: Place, subject: string, text: string): void {
    this.#notes.push({ kind, file, line, subject, text });
  }

  addPositionFile({ file, line }: Place, path: string): void {
    this.#positionFiles.push({ file, line, path });
  }

  /** Whether a directive is on; undefined, with a note, if only the other agent knows. */
  flag(directive: Directive): boolean | undefined {
    const { key, value } = directive;
    if (!isComputed(value)) return isOn(value);
    this.note('none', directive, key, `${value} is computed`);
    return undefined;
  }

  /** The directive leaves out the labels of pods. */
  leaveOutLabels(directive: Directive): void {
    this.#labelsOff ??= directive;
  }

  /** Decides what depends on all directives. */
  finish(): void {
    const directive = this.#labelsOff;
    if (directive === undefined) return;
    const isByLabel = this.#rules.some(({ rule }) => isMatchByLabel(rule['match']));
    if (isByLabel || this.#options.get('podAnnotations') === true) {
      const text = 'the labels are sent: annotations and rules by label need the API server';
      this.note('changed', directive, directive.key, text);
    } else this.setOption('kubernetesMetadata', 'off', directive, directive.key);
  }

  /** Appends to a list; for other options the first value wins. */
  setOption(key: ConfigKey, value: unknown, place: Place, subject: string): void {
    const row: OptionRow = options[key];
    try {
      parseOptionValue(row, value, key);
    } catch (error) {
      if (!(error instanceof AgentError)) throw error;
      this.note('none', place, subject, error.message);
      return;
    }
    const before = this.#options.get(key);
    if (listKinds.has(row.kind)) {
      const values = [before ?? [], value].flat();
      this.#options.set(key, [...new Set(values)]);
    } else if (before === undefined) this.#options.set(key, value);
    else if (before !== value) {
      this.note('changed', place, subject, `${key} is ${shown(before)} already`);
      return;
    }
    this.note('taken', place, subject, `${key}: ${shown(value)}`);
  }

  /** Adds one rule with the valid actions; the others become notes. */
  addRule(site: RuleSite, actions: Readonly<Record<string, unknown>>): void {
    const { place, subject } = site;
    if (isRefused(site, this, actions)) return;
    const match = matchOf(site);
    const kept: Record<string, unknown> = {};
    for (const [key, value] of Object.entries(actions)) {
      const { problems } = parseRules([{ ...match, [key]: value }]);
      const [problem] = problems;
      if (problem === undefined) kept[key] = value;
      else this.note('none', place, subject, `${key} ${problem.text}`);
    }
    if (Object.keys(kept).length === 0) return;
    const whole = parseRules([...this.#rules.map(({ rule }) => rule), { ...match, ...kept }]);
    if (whole.problems.length > 0) {
      this.note('none', place, subject, whole.problems[0]?.text ?? '');
      return;
    }
    this.#rules.push({ place, rule: { ...match, ...kept } });
    this.note('taken', place, subject, `a rule: ${Object.keys(kept).join(', ')}`);
  }
}

function shown(value: unknown): string {
  return typeof value === 'string' ? value : (JSON.stringify(value) ?? '');
}
