// What `tailship check` finds: one line each.

export type Finding = {
  readonly name: string;
  readonly level: 'ok' | 'warn' | 'fail';
  /** What was found, one line. */
  readonly text: string;
  /** What to do about it; there is one for every warn and fail. */
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

/** The one line of an error. */
export function reasonOf(error: unknown): string {
  const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error;
  return (cause instanceof Error ? cause.message : String(cause)).split('\n', 1)[0] ?? '';
}
