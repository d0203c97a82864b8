// The Logging query language, the part of it that people use: text of a filter to a syntax tree.
//
// As in the real language NOT binds tightest, then OR, then AND; terms side by side are joined by
// AND. Functions (`SEARCH`, `ip_in_net`, `sample`) are not known here.

import { invalidArgument } from '../protocol/api-error.ts';

const operators = ['!=', '>=', '<=', '=~', '!~', '=', '>', '<', ':'] as const;
export type Operator = (typeof operators)[number];

/** The right side of an operator: `x`, `"x"`, or `("x" OR "y")`. */
export type ValueTree =
  | { readonly kind: 'value'; readonly text: string }
  | { readonly kind: 'and' | 'or'; readonly terms: readonly ValueTree[] }
  | { readonly kind: 'not'; readonly term: ValueTree };

export type FilterTree =
  | { readonly kind: 'and' | 'or'; readonly terms: readonly FilterTree[] }
  | { readonly kind: 'not'; readonly term: FilterTree }
  | {
      readonly kind: 'compare';
      readonly path: readonly string[];
      readonly operator: Operator;
      readonly value: ValueTree;
    }
  /** Text anywhere in the entry. */
  | { readonly kind: 'text'; readonly text: string };

/** Levels of parentheses. */
const depthMax = 50;
const escapes: Readonly<Record<string, string>> = { n: '\n', t: '\t', r: '\r', b: '\b', f: '\f' };

/** Undefined for a filter without terms. Throws ApiError with the place of a syntax error. */
export function parseFilter(filter: string): FilterTree | undefined {
  const parser = new FilterParser(filter);
  return parser.parse();
}

type Join<Tree> = (kind: 'and' | 'or', terms: readonly Tree[]) => Tree;

class FilterParser {
  readonly #text: string;
  #at = 0;
  #depth = 0;

  constructor(text: string) {
    this.#text = text;
  }

  parse(): FilterTree | undefined {
    this.#skipSpace();
    if (this.#at === this.#text.length) return undefined;
    const tree = this.#conjunction(() => this.#term(), joinFilters);
    if (this.#at < this.#text.length) throw this.#syntaxError();
    return tree;
  }

  #conjunction<Tree>(term: () => Tree, join: Join<Tree>): Tree {
    const terms = [this.#disjunction(term, join)];
    for (;;) {
      const hadAnd = this.#takeWord('AND');
      const isEnd = this.#at === this.#text.length || this.#text[this.#at] === ')';
      if (isEnd && hadAnd) throw this.#syntaxError();
      if (isEnd) return terms.length === 1 ? (terms[0] as Tree) : join('and', terms);
      terms.push(this.#disjunction(term, join));
    }
  }

  #disjunction<Tree>(term: () => Tree, join: Join<Tree>): Tree {
    const terms = [term()];
    while (this.#takeWord('OR')) terms.push(term());
    return terms.length === 1 ? (terms[0] as Tree) : join('or', terms);
  }

  #term(): FilterTree {
    if (this.#takeNot()) return { kind: 'not', term: this.#term() };
    if (this.#takeCharacter('(')) {
      return this.#nested(() => this.#conjunction(() => this.#term(), joinFilters));
    }
    const start = this.#at;
    const path = this.#path();
    const raw = this.#text.slice(start, this.#at);
    this.#skipSpace();
    const operator = operators.find((one) => this.#text.startsWith(one, this.#at));
    if (operator === undefined) {
      return { kind: 'text', text: path.length === 1 ? (path[0] as string) : raw };
    }
    this.#at += operator.length;
    this.#skipSpace();
    return { kind: 'compare', path, operator, value: this.#value() };
  }

  #value(): ValueTree {
    if (this.#takeNot()) return { kind: 'not', term: this.#value() };
    if (this.#takeCharacter('(')) {
      return this.#nested(() => this.#conjunction(() => this.#value(), joinValues));
    }
    const quoted = this.#quoted();
    // A bare value may contain colons, as times do.
    const text = quoted ?? this.#match(/[^\s()"',]+/y);
    if (text === undefined) throw this.#syntaxError();
    this.#skipSpace();
    return { kind: 'value', text };
  }

  #nested<Tree>(inner: () => Tree): Tree {
    this.#depth += 1;
    if (this.#depth > depthMax) throw this.#syntaxError();
    const tree = inner();
    if (!this.#takeCharacter(')')) throw this.#syntaxError();
    this.#depth -= 1;
    return tree;
  }

  #path(): string[] {
    const segments: string[] = [];
    do {
      const segment = this.#quoted() ?? this.#match(/[^\s()"'.,=<>!~:]+/y);
      if (segment === undefined) throw this.#syntaxError();
      segments.push(segment);
    } while (this.#match(/\./y) !== undefined);
    return segments;
  }

  #quoted(): string | undefined {
    const start = this.#at;
    const quoted = this.#match(/"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'/sy);
    if (quoted === undefined) {
      if (this.#text[start] === '"' || this.#text[start] === "'") throw this.#syntaxError();
      return undefined;
    }
    return quoted
      .slice(1, -1)
      .replace(/\\(u[0-9a-fA-F]{4}|x[0-9a-fA-F]{2}|.)/gs, (_all, escape: string) => {
        if (escape.length > 1) return String.fromCharCode(Number.parseInt(escape.slice(1), 16));
        return escapes[escape] ?? escape;
      });
  }

  #match(sticky: RegExp): string | undefined {
    sticky.lastIndex = this.#at;
    const match = sticky.exec(this.#text)?.[0];
    this.#at += match?.length ?? 0;
    return match;
  }

  #takeWord(word: 'AND' | 'OR' | 'NOT'): boolean {
    const isTaken = this.#match(new RegExp(`${word}(?=[\\s()"']|$)`, 'y')) !== undefined;
    this.#skipSpace();
    return isTaken;
  }

  #takeNot(): boolean {
    if (this.#takeWord('NOT')) return true;
    // The sign of a number is no negation: `-5` is a value.
    return this.#match(/-(?=[A-Za-z_("'])/y) !== undefined;
  }

  #takeCharacter(character: '(' | ')'): boolean {
    if (this.#text[this.#at] !== character) return false;
    this.#at += 1;
    this.#skipSpace();
    return true;
  }

  #skipSpace(): void {
    this.#match(/(?:\s|--[^\n]*)*/y);
  }

  #syntaxError(): Error {
    const before = this.#text.slice(0, this.#at).split('\n');
    const token = this.#text[this.#at] ?? 'end of filter';
    const column = (before.at(-1)?.length ?? 0) + 1;
    return invalidArgument(
      `Unparseable filter: syntax error at line ${before.length}, column ${column}, token '${token}'`,
    );
  }
}

const joinFilters: Join<FilterTree> = (kind, terms) => ({ kind, terms });
const joinValues: Join<ValueTree> = (kind, terms) => ({ kind, terms });
