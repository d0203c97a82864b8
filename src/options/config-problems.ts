// The wrong flags, variables, keys and values of one configuration, collected so that a user sees
// all of them at once instead of one per try.

import { AgentError } from '../errors.ts';

export class ConfigProblems {
  readonly #errors: AgentError[] = [];

  /** What `work` returns; undefined, and the error is noted, when it throws CONFIG_INVALID. */
  attempt<Result>(work: () => Result): Result | undefined {
    try {
      return work();
    } catch (error) {
      if (!(error instanceof AgentError) || error.code !== 'CONFIG_INVALID') throw error;
      this.#errors.push(error);
      return undefined;
    }
  }

  /** Notes a problem that was found without an exception. */
  note(text: string): void {
    this.#errors.push(new AgentError('CONFIG_INVALID', text));
  }

  get isEmpty(): boolean {
    return this.#errors.length === 0;
  }

  /** Throws the one problem, or CONFIG_INVALID that has them all; see `problemTexts`. */
  throwIfAny(): void {
    const [first, ...others] = this.#errors;
    if (first === undefined) return;
    if (others.length === 0) throw first;
    const text = this.#errors.map(({ message }) => message).join('; ');
    throw new AgentError('CONFIG_INVALID', text, { cause: new AggregateError(this.#errors, text) });
  }
}

/** One text for each problem of an error. */
export function problemTexts({ message, cause }: Error): readonly string[] {
  if (!(cause instanceof AggregateError)) return [message];
  return cause.errors.map((error: unknown) => (error instanceof Error ? error.message : ''));
}
