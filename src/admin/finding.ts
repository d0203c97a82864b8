// One line of `tailship check`.

import { errorText } from '../errors.ts';

export type Finding = {
  readonly name: string;
  readonly level: 'ok' | 'warn' | 'fail';
  readonly text: string;
  /** What to do about it, for every `warn` and `fail`. */
  readonly advice?: string;
};

export function ok(name: string, text: string): Finding {
  return { name, level: 'ok', text };
}

export function warn(name: string, text: string, advice: string): Finding {
  return { name, level: 'warn', text, advice };
}

export function fail(name: string, text: string, advice: string): Finding {
  return { name, level: 'fail', text, advice };
}

/** The first line of an error, or of its cause. */
export function reasonOf(error: unknown): string {
  const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error;
  return errorText(cause).split('\n', 1)[0] ?? '';
}
