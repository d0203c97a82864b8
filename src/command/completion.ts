// `tailship completion`: scripts for bash, zsh and fish, made from the table of options, so that a
// new option is completed without further work.

import { configKeys, flagOf, rowOf } from '../options/config-loader.ts';
import { commands, type Command, type ConfigKey } from '../options/options.ts';
import { deadLetterVerbs } from './dead-letters.ts';
import { commandSummary } from './help.ts';
import { foreignAgents } from './command-words.ts';
import { ruleVerbs } from './rules-command.ts';

export const shells = ['bash', 'zsh', 'fish'] as const;
type Shell = (typeof shells)[number];

/** Words that may follow a command before its flags. */
const operands: Partial<Record<Command, readonly string[]>> = {
  'dead-letters': deadLetterVerbs,
  completion: shells,
  rules: ruleVerbs,
};

/** What may follow a flag. */
type Values =
  | { readonly kind: 'words'; readonly words: readonly string[] }
  | { readonly kind: 'files' | 'none' | 'any' };

export function completionScript(shell: Shell): string {
  if (shell === 'bash') return bashScript();
  return shell === 'zsh' ? zshScript() : fishScript();
}

function keysOf(command: Command): ConfigKey[] {
  return configKeys.filter((key) => rowOf(key).commands.includes(command));
}

function flagsOf(command: Command): string[] {
  const flags = keysOf(command).flatMap((key) => {
    const flag = flagOf(key);
    return rowOf(key).kind === 'boolean' ? [flag, `--no-${flag.slice(2)}`] : [flag];
  });
  return command === 'migrate' ? ['--from', ...flags, '--help'] : [...flags, '--help'];
}

function valuesOf(key: ConfigKey): Values {
  const { kind, choices, mayBeOff } = rowOf(key);
  if (kind === 'boolean') return { kind: 'none' };
  if (choices !== undefined) return { kind: 'words', words: choices };
  if (kind === 'path' || kind === 'paths') return { kind: 'files' };
  return mayBeOff === true ? { kind: 'words', words: ['off'] } : { kind: 'any' };
}

function bashScript(): string {
  const values = configKeys.flatMap((key) => {
    const found = valuesOf(key);
    if (found.kind === 'none' || key === 'from') return [];
    const flag = flagOf(key);
    const reply =
      found.kind === 'words'
        ? `COMPREPLY=($(compgen -W '${found.words.join(' ')}' -- "$cur"))`
        : found.kind === 'files'
          ? 'COMPREPLY=($(compgen -f -- "$cur"))'
          : 'COMPREPLY=()';
    return [`    ${flag}) ${reply}; return ;;`];
  });
  const from = rowOf('from').choices?.join(' ') ?? '';
  return `# bash completion of tailship: source <(tailship completion bash)
_tailship() {
  local cur="\${COMP_WORDS[COMP_CWORD]}" previous="\${COMP_WORDS[COMP_CWORD-1]}"
  local command="\${COMP_WORDS[1]}" words=''
  # bash takes --flag=value for three words.
  if [ "$cur" = '=' ]; then cur=''; elif [ "$previous" = '=' ]; then previous="\${COMP_WORDS[COMP_CWORD-2]}"; fi
  if [ "$COMP_CWORD" -eq 1 ]; then
    COMPREPLY=($(compgen -W '${[...commands, 'help', '--help', '--version'].join(' ')}' -- "$cur"))
    return
  fi
  case "$command $previous" in
    'migrate --from') COMPREPLY=($(compgen -W '${foreignAgents.join(' ')}' -- "$cur")); return ;;
    *' --from') COMPREPLY=($(compgen -W '${from}' -- "$cur")); return ;;
${foreignAgents.map((agent) => `    'migrate ${agent}') COMPREPLY=($(compgen -f -- "$cur")); return ;;`).join('\n')}
  esac
  case "$previous" in
${values.join('\n')}
  esac
  case "$command" in
${commands.map((command) => `    ${command}) words='${flagsOf(command).join(' ')}' ;;`).join('\n')}
  esac
  case "$command $COMP_CWORD" in
${Object.entries(operands)
  .map(([command, words]) => `    '${command} 2') words="${words.join(' ')} $words" ;;`)
  .join('\n')}
  esac
  COMPREPLY=($(compgen -W "$words" -- "$cur"))
}
complete -o filenames -F _tailship tailship`;
}

/** Text within single quotes of zsh's _arguments, where brackets and colons have a meaning. */
function zshText(text: string): string {
  return text.replaceAll("'", "'\\''").replaceAll(/[[\]:\\]/g, String.raw`\$&`);
}

function zshFlag(key: ConfigKey): string[] {
  const row = rowOf(key);
  const found = valuesOf(key);
  const flag = flagOf(key);
  const help = zshText(row.help);
  if (found.kind === 'none') {
    return [`'${flag}[${help}]'`, `'--no-${flag.slice(2)}[not ${flag}]'`];
  }
  const action =
    found.kind === 'words' ? `(${found.words.join(' ')})` : found.kind === 'files' ? '_files' : ' ';
  return [`'*${flag}=[${help}]:value:${action}'`];
}

function zshScript(): string {
  const cases = commands.map((command) => {
    const flags = keysOf(command).flatMap(zshFlag);
    const words = operands[command];
    if (words !== undefined) flags.unshift(`'1:what:(${words.join(' ')})'`);
    if (command === 'migrate') {
      flags.unshift(
        `'--from[whose positions]:agent:(${foreignAgents.join(' ')})'`,
        "'*:file:_files'",
      );
    }
    return `    ${command}) _arguments ${[...flags, "'--help[options of the command]'"].join(' \\\n      ')} ;;`;
  });
  const summaries = commands.map(
    (command) => `    '${command}:${zshText(commandSummary(command))}'`,
  );
  return `#compdef tailship
# zsh completion of tailship: source <(tailship completion zsh)
_tailship() {
  local -a known=(
${summaries.join('\n')}
  )
  if (( CURRENT == 2 )); then
    _describe command known
    return
  fi
  shift words
  (( CURRENT -= 1 ))
  case "$words[1]" in
${cases.join('\n')}
  esac
}
compdef _tailship tailship`;
}

function fishText(text: string): string {
  return `'${text.replaceAll('\\', '\\\\').replaceAll("'", String.raw`\'`)}'`;
}

function fishScript(): string {
  const lines = ['# fish completion of tailship', 'complete -c tailship -f'];
  for (const command of commands) {
    const summary = fishText(commandSummary(command));
    lines.push(`complete -c tailship -n __fish_use_subcommand -a ${command} -d ${summary}`);
    const only = `complete -c tailship -n '__fish_seen_subcommand_from ${command}'`;
    const words = operands[command];
    if (words !== undefined) lines.push(`${only} -a ${fishText(words.join(' '))}`);
    if (command === 'migrate') {
      lines.push(`${only} -l from -x -a ${fishText(foreignAgents.join(' '))} -d 'whose positions'`);
    }
    for (const key of keysOf(command)) {
      const found = valuesOf(key);
      const value =
        found.kind === 'none'
          ? ''
          : found.kind === 'files'
            ? ' -r -F'
            : ` -x${found.kind === 'words' ? ` -a ${fishText(found.words.join(' '))}` : ''}`;
      lines.push(`${only} -l ${flagOf(key).slice(2)}${value} -d ${fishText(rowOf(key).help)}`);
    }
  }
  return lines.join('\n');
}
