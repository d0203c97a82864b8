// The words between a command and its flags: `tailship dead-letters show ID`, `tailship completion
// bash`.

import { AgentError } from '../errors.ts';

/** The words up to the first flag, and the rest. */
export function splitOperands(words: readonly string[]): {
  readonly operands: readonly string[];
  readonly rest: readonly string[];
} {
  const first = words.findIndex((word) => /^-./.test(word));
  const end = first === -1 ? words.length : first;
  return { operands: words.slice(0, end), rest: words.slice(end) };
}

/** The first operand as one of `choices`. Throws CONFIG_INVALID. */
export function chosenOperand<Choice extends string>(
  command: string,
  operands: readonly string[],
  choices: readonly Choice[],
): Choice {
  const [word] = operands;
  const choice = choices.find((known) => known === word);
  if (choice !== undefined) return choice;
  const got = word === undefined ? 'none is given' : `got ${word}`;
  const text = `tailship ${command} needs ${choices.join('|')}; ${got}`;
  throw new AgentError('CONFIG_INVALID', text);
}
