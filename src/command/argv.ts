// From the words of the command line to flags by key. Values stay as written: config-loader.ts
// judges them.

import { parseArgs } from 'node:util';
import type { Command, ConfigKey } from '../options/options.ts';
import { configKeys, flagOf, rowOf } from '../options/config-loader.ts';
import { type AgentError, configError } from '../errors.ts';
import { ConfigProblems } from '../options/config-problems.ts';
import { nearest } from '../options/nearest.ts';
import { listKinds } from '../options/option-row.ts';

export type Flags = Partial<Record<ConfigKey, unknown>>;

/**
 * The flags of one command: `--name value`, `--name=value`, `--boolean`, `--no-boolean`; a list's
 * flag may be repeated. Errors are noted in `problems`, or thrown as CONFIG_INVALID.
 */
export function parseFlags(
  command: Command,
  words: readonly string[],
  problems?: ConfigProblems,
): Flags {
  const keyOf = new Map(configKeys.map((key) => [flagOf(key).slice(2), key]));
  const { tokens } = parseArgs({
    args: [...words],
    options: Object.fromEntries(
      [...keyOf].map(([name, key]) => {
        const type = rowOf(key).kind === 'boolean' ? 'boolean' : 'string';
        return [name, { type } as const];
      }),
    ),
    strict: false,
    allowPositionals: true,
    allowNegative: true,
    tokens: true,
  });
  const flags: Flags = {};
  const noted = problems ?? new ConfigProblems();
  /** Index of the word after an unknown flag, which may be the flag's value. */
  let skipped = -1;
  for (const token of tokens) {
    noted.attempt(() => {
      if (token.kind === 'positional') {
        if (token.index === skipped) return;
        throw configError(`${command} takes no argument, but got ${token.value}`);
      }
      if (token.kind !== 'option') return;
      const key = keyOf.get(token.name) ?? keyOf.get(token.name.replace(/^no-/, ''));
      if (key === undefined || !rowOf(key).commands.includes(command)) {
        if (token.value === undefined) skipped = token.index + 1;
        throw unknownFlag(command, token.rawName, key);
      }
      setFlag(flags, key, token);
    });
  }
  if (problems === undefined) noted.throwIfAny();
  return flags;
}

type OptionToken = {
  readonly name: string;
  readonly rawName: string;
  readonly value?: string | undefined;
};

function setFlag(flags: Flags, key: ConfigKey, token: OptionToken): void {
  const { kind } = rowOf(key);
  const isNegated = token.rawName.startsWith('--no-') && flagOf(key) !== token.rawName;
  if (kind === 'boolean') {
    if (isNegated && token.value !== undefined) {
      const flag = flagOf(key);
      throw configError(`${token.rawName} takes no value; write ${flag}=true or ${flag}=false`);
    }
    flags[key] = isNegated ? false : (token.value ?? true);
    return;
  }
  if (token.value === undefined || isNegated) {
    throw configError(`${flagOf(key)} needs a value`);
  }
  const earlier = flags[key];
  flags[key] = listKinds.has(kind)
    ? [...(Array.isArray(earlier) ? earlier : []), token.value]
    : token.value;
}

function unknownFlag(command: Command, rawName: string, key: ConfigKey | undefined): AgentError {
  if (key !== undefined) {
    const takers = rowOf(key).commands.join(', ');
    return configError(`${rawName} is not for ${command}, but for ${takers}`);
  }
  const known = configKeys.filter((other) => rowOf(other).commands.includes(command)).map(flagOf);
  const near = nearest(rawName, known);
  const hint = near === undefined ? `see \`tailship ${command} --help\`` : `meant is ${near}?`;
  return configError(`unknown flag ${rawName}; ${hint}`);
}
