// A value in the rules as the user wrote it, with its path for error messages.
//
// Invariant: reading never throws. A problem is recorded with its path and reading continues with
// a placeholder, so that a user sees all problems at once.

import { limits } from '../config.ts';
import { nearest } from '../options/nearest.ts';
import { isObject } from '../json-value.ts';

/** `rules[1].severity.map`, and the problem there: `is "pinoo"; allowed is …`. */
export type RuleProblem = { readonly path: string; readonly text: string };

const quotedCharactersMax = 120;

/** undefined for what JSON cannot represent, such as a cyclic value. */
function jsonOf(value: unknown): string | undefined {
  try {
    return JSON.stringify(value);
  } catch {
    return undefined;
  }
}

export class WrittenValue {
  readonly path: string;
  readonly value: unknown;
  readonly #problems: RuleProblem[];

  constructor(value: unknown, path: string, problems: RuleProblem[]) {
    this.value = value;
    this.path = path;
    this.#problems = problems;
  }

  get isObject(): boolean {
    return isObject(this.value);
  }

  note(text: string): void {
    this.#problems.push({ path: this.path, text });
  }

  /** Reports that the value is not allowed. */
  refuse(allowed: string): void {
    const text = jsonOf(this.value) ?? String(this.value);
    const quoted =
      text.length <= quotedCharactersMax ? text : `${text.slice(0, quotedCharactersMax)}…`;
    this.note(`is ${quoted}; allowed is ${allowed}`);
  }

  /** The value as given within `name`. */
  child(name: string, value: unknown): WrittenValue {
    return new WrittenValue(value, `${this.path}.${name}`, this.#problems);
  }

  /** The members of an object; for anything else, none, and a problem is reported. */
  members(allowed: string): [string, WrittenValue][] {
    if (!this.isObject) {
      this.refuse(allowed);
      return [];
    }
    return Object.entries(this.value as object).map(([name, value]) => [
      name,
      this.child(name, value),
    ]);
  }

  /** The given members; each must be one of `known` and must not be empty. */
  fields<Name extends string>(known: readonly Name[]): Partial<Record<Name, WrittenValue>> {
    const found: Partial<Record<Name, WrittenValue>> = {};
    for (const [name, member] of this.members(`an object of ${known.join(', ')}`)) {
      const key = known.find((each) => each === name);
      if (key === undefined) {
        const near = nearest(name, known);
        const hint = near === undefined ? `known are ${known.join(', ')}` : `meant is ${near}?`;
        member.note(`is unknown; ${hint}`);
      } else if (member.value === null) {
        member.note('is empty; leave it out or give it a value');
      } else if (member.value !== undefined) found[key] = member;
    }
    return found;
  }

  /** One value, or each item of a list; an empty or overlong list is reported and yields none. */
  items(allowed = 'a list of at least one'): WrittenValue[] {
    if (!Array.isArray(this.value)) return [this];
    const { length } = this.value;
    if (length === 0) this.refuse(allowed);
    if (length > limits.ruleListMax) this.note(`has ${length} of at most ${limits.ruleListMax}`);
    return this.value
      .slice(0, limits.ruleListMax)
      .map(
        (item: unknown, index) => new WrittenValue(item, `${this.path}[${index}]`, this.#problems),
      );
  }

  /** A text that is not empty; YAML reads some texts as numbers. */
  text(allowed = 'a text'): string {
    const { value } = this;
    if (typeof value === 'string' && value !== '') return value;
    if (typeof value === 'number') return String(value);
    this.refuse(allowed);
    return '';
  }

  /** As `text`, but also allows an empty text, `true` and `false`. */
  anyText(allowed = 'a text'): string {
    const { value } = this;
    if (value === '' || typeof value === 'boolean') return String(value);
    return this.text(allowed);
  }

  oneOf<Name extends string>(names: readonly Name[]): Name | undefined {
    const { value } = this;
    const found = names.find((name) => name === value);
    if (found !== undefined) return found;
    const near = typeof value === 'string' ? nearest(value, names) : undefined;
    this.refuse(`${names.join(', ')}${near === undefined ? '' : `; meant is ${near}?`}`);
    return undefined;
  }

  boolean(): boolean {
    if (typeof this.value === 'boolean') return this.value;
    this.refuse('true or false');
    return false;
  }

  /** The result of `check`; its RangeError says what is allowed. */
  attempt<Result>(check: () => Result): Result | undefined {
    try {
      return check();
    } catch (error) {
      if (!(error instanceof RangeError)) throw error;
      this.refuse(error.message);
      return undefined;
    }
  }
}
