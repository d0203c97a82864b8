// The wrong flags, variables, keys and values of one configuration, collected so that a user sees
// all of them at once instead of one per try.

import { AgentError, configError } from '../errors.ts';

export class ConfigProblems {
  readonly #errors: AgentError[] = [];

  /** What `work` returns; undefined if it throws CONFIG_INVALID, which is noted. */
  attempt<Result>(work: () => Result): Result | undefined {
    try {
      return work();
    } catch (error) {
      if (!(error instanceof AgentError) || error.code !== 'CONFIG_INVALID') throw error;
      this.#errors.push(error);
      return undefined;
    }
  }

  /** As `attempt`, for what `work` resolves to. */
  async settle<Result>(work: Promise<Result>): Promise<Result | undefined> {
    const [outcome] = await Promise.allSettled([work]);
    return this.attempt(() => {
      if (outcome.status === 'rejected') throw outcome.reason;
      return outcome.value;
    });
  }

  /** Notes a problem that was found without an exception. */
  note(text: string): void {
    this.#errors.push(configError(text));
  }

  get isEmpty(): boolean {
    return this.#errors.length === 0;
  }

  /** Throws the only problem, or CONFIG_INVALID with all of them; see `problemTexts`. */
  throwIfAny(): void {
    const [first, ...others] = this.#errors;
    if (first === undefined) return;
    if (others.length === 0) throw first;
    const text = this.#errors.map(({ message }) => message).join('; ');
    throw configError(text, { cause: new AggregateError(this.#errors, text) });
  }
}

/** One text for each problem of an error. */
export function problemTexts({ message, cause }: Error): readonly string[] {
  if (!(cause instanceof AggregateError)) return [message];
  return cause.errors.map((error: unknown) => (error instanceof Error ? error.message : ''));
}
