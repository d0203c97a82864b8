// The commands: picks one, loads its configuration and only the modules that it needs, and turns
// errors into lines and exit codes. Its invariant: `run` loads nothing of the emulator, the demo,
// YAML (without --config) or the other commands.

import type { ReadStream } from 'node:tty';

import { type Flags, parseFlags } from './argv.ts';
import { type Command, commands, type ConfigKey, options } from '../options/options.ts';
import { ConfigProblems, problemTexts } from '../options/config-problems.ts';
import { loadConfig, type LoadedConfig } from '../options/config-loader.ts';
import type { Control, StandardOutput } from '../control.ts';
import { AgentError, configError, errorTable, isSystemError } from '../errors.ts';
import { createLog } from '../log.ts';
import {
  foreignAgents,
  readOperands,
  splitManifestWords,
  splitMigrationWords,
  splitOperands,
  splitTailWords,
} from './command-words.ts';
import { nearest } from '../options/nearest.ts';
import { printable } from '../printable.ts';
import { version } from '../version.ts';

/** The process, as the CLI sees it; main.ts makes the real one. */
export type Invocation = {
  /** The command line after the script. */
  readonly words: readonly string[];
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** Aborted by the first signal to stop. */
  readonly signal: AbortSignal;
  /**
   * Gets an event `reload` when the configuration is to be read again, and one with the name of a
   * signal that does nothing.
   */
  readonly reloads?: EventTarget;
  /** Aborted when stdout is closed by its reader. */
  readonly outputClosed: AbortSignal;
  /** Undefined when stdout is not a terminal. */
  readonly terminalSize: () => { readonly columns: number; readonly rows: number } | undefined;
  /** Undefined when stdin is not a terminal. */
  readonly terminalInput?: () => ReadStream | undefined;
  readonly isErrorTerminal: boolean;
  /** Writes text to stderr unchanged; undefined when that is not a terminal. */
  readonly writeTerminal?: (text: string) => void;
  readonly writeOut: (line: string) => void;
  /** Opens stdout for output that is not lines. */
  readonly standardOutput?: () => StandardOutput;
  readonly writeError: (line: string) => void;
};

const helpWords: ReadonlySet<string> = new Set(['--help', '-h', 'help']);
const unusedSignal = 'does nothing here: SIGHUP reads the configuration again, SIGTERM stops';
const clearLine = '\u001b[2K';
const exitDone = 0;
const exitFailed = 1;
const exitUsage = 2;

/** Runs the command and returns the exit code: 0 done, 1 operating failure, 2 usage. */
export async function runCli(invocation: Invocation): Promise<number> {
  try {
    return await dispatch(invocation);
  } catch (error) {
    if (!isOperating(error)) throw error;
    const { code } = error;
    // A user reads about wrong options; the end of a running agent goes where its log goes.
    if (invocation.words[0] === 'run' && code !== 'CONFIG_INVALID' && !invocation.isErrorTerminal) {
      logEnd(error, invocation);
      return exitFailed;
    }
    for (const text of problemTexts(error)) {
      invocation.writeError(`tailship: ${code}: ${printable(text)}`);
    }
    if (error instanceof AgentError) invocation.writeError(`  ${adviceFor(error, invocation)}`);
    return code === 'CONFIG_INVALID' ? exitUsage : exitFailed;
  }
}

function logEnd(error: OperatingError, { writeError }: Invocation): void {
  const log = createLog({ level: 'error', write: writeError });
  if (error instanceof AgentError) {
    log.error(error.code, error.message, { advice: errorTable[error.code].advice });
  } else log.error(undefined, error.message, { errno: error.code });
}

/** `check` does not advise to run `check`. */
function adviceFor({ code }: AgentError, { words }: Invocation): string {
  if (code !== 'CONFIG_INVALID' || words[0] !== 'check') return errorTable[code].advice;
  return 'Correct what is named above; the node and the endpoint are checked when all of it is valid.';
}

async function dispatch(invocation: Invocation): Promise<number> {
  const [word, ...words] = invocation.words;
  if (word === '--version' || word === '-v') {
    invocation.writeOut(version);
    return exitDone;
  }
  const command = commands.find((known) => known === word);
  const wantsHelp = words.includes('--help') || words.includes('-h');
  if (word === undefined || helpWords.has(word) || (command !== undefined && wantsHelp)) {
    return printHelp(command ?? commands.find((known) => known === words[0]), invocation);
  }
  if (command === undefined) throw unknownCommand(word);
  const problems = new ConfigProblems();
  const flags = parseFlags(optionsCommand(command), flagWordsOf(command, words), problems);
  return runCommand(command, { flags, problems }, invocation);
}

/** The manifests carry options of `run`, and `tail` reads as it does. */
function optionsCommand(command: Command): Command {
  return command === 'manifests' || command === 'tail' ? 'run' : command;
}

const operandCommands: ReadonlySet<Command> = new Set([
  'dead-letters',
  'completion',
  'convert',
  'rules',
]);

/** Commands that take words besides flags. */
function flagWordsOf(command: Command, words: readonly string[]): readonly string[] {
  if (command === 'migrate') return splitMigrationWords(words).rest;
  if (command === 'manifests') return splitManifestWords(words).rest;
  if (command === 'tail') return splitTailWords(words).rest;
  if (operandCommands.has(command)) return splitOperands(words).rest;
  return words;
}

async function printHelp(topic: Command | undefined, invocation: Invocation): Promise<number> {
  const { helpText, commandHelpText } = await import('./help.ts');
  const isAsked = invocation.words.length > 0;
  const write = isAsked ? invocation.writeOut : invocation.writeError;
  write(topic === undefined ? helpText(version) : commandHelpText(topic));
  return isAsked ? exitDone : exitUsage;
}

async function runCommand(
  command: Command,
  { flags, problems }: { readonly flags: Flags; readonly problems: ConfigProblems },
  invocation: Invocation,
): Promise<number> {
  const input = { command: optionsCommand(command), flags, environment: invocation.environment };
  const reloading = {
    isDue: false,
    load: () => loadConfig({ ...input, isReload: true }),
  };
  // A signal that comes while the agent starts is about files that it may have read before.
  const note = () => void (reloading.isDue = true);
  invocation.reloads?.addEventListener('reload', note, { once: true });
  const loaded = await loadConfig({ ...input, problems });
  const control = createControl(loaded, invocation, reloading);
  // `check` prints the warnings among its own lines.
  const warnings = command === 'check' ? [] : loaded.warnings;
  for (const warning of warnings) control.log.warn(undefined, warning);
  try {
    return await runners[command](loaded, control, invocation);
  } finally {
    control.log.flush();
  }
}

type Runner = (loaded: LoadedConfig, control: Control, invocation: Invocation) => Promise<number>;

/** Each command imports only what it needs, once it is chosen. */
const runners: Readonly<Record<Command, Runner>> = {
  run: async (loaded, control, { reloads }) => {
    for (const name of ['SIGUSR1', 'SIGUSR2']) {
      reloads?.addEventListener(name, () => control.log.info(undefined, `${name} ${unusedSignal}`));
    }
    const { runAgent } = await import('../agent/run-agent.ts');
    const { fitToCgroup } = await import('../host/sizing.ts');
    const { delayStart } = await import('./start-delay.ts');
    await delayStart(loaded.config, control.signal);
    return runAgent(fitToCgroup(loaded), control);
  },
  emulator: async ({ config }, control) => {
    const { runEmulator } = await import('../emulator/server/emulator-command.ts');
    return runEmulator(config, control);
  },
  demo: async ({ config }, control) => {
    const { runDemo } = await import('./demo.ts');
    return runDemo(config, control);
  },
  check: async (loaded, control) => {
    const { runCheck } = await import('../admin/check-command.ts');
    const { sendDryRun } = await import('../ship/dry-run.ts');
    const { findNodeIdentity } = await import('../host/node-identity.ts');
    return runCheck(loaded, control, { sendDryRun, findNodeIdentity });
  },
  bench: async ({ config }, control) => {
    const { runBench } = await import('./bench-command.ts');
    return runBench(config, control);
  },
  'dead-letters': async ({ config }, control, { words }) => {
    const { deadLetterVerbs, runDeadLetters } = await import('./dead-letters.ts');
    const [verb, ...ids] = readOperands(words, deadLetterVerbs);
    return runDeadLetters(config, control, { verb, ids });
  },
  completion: async (_loaded, { write }, { words }) => {
    const { completionScript, shells } = await import('./completion.ts');
    write(completionScript(readOperands(words, shells)[0]));
    return exitDone;
  },
  convert: async (_loaded, { write }, { words, writeError }) => {
    const { runConvert } = await import('./convert-command.ts');
    const [agent, ...files] = readOperands(words, foreignAgents);
    return runConvert(agent, files, { write, writeError });
  },
  migrate: async ({ config }, control, invocation) => {
    const { runMigrate } = await import('./migrate.ts');
    const { own: source } = splitMigrationWords(invocation.words.slice(1));
    return runMigrate(config, control, source);
  },
  manifests: async (_, control, { words }) => {
    const { manifestsText } = await import('./manifests.ts');
    const { own, rest } = splitManifestWords(words.slice(1));
    control.write(manifestsText(own, parseFlags('run', rest)).trimEnd());
    return exitDone;
  },
  rules: async ({ config }, control, { words }) => {
    const { ruleVerbs, runRules } = await import('./rules-command.ts');
    const [verb, ...operands] = readOperands(words, ruleVerbs);
    return runRules(config, control, { verb, operands });
  },
  tail: async ({ config }, control, { words, outputClosed, signal }) => {
    const { runTail } = await import('./tail-command.ts');
    const either = AbortSignal.any([signal, outputClosed]);
    return runTail(config, { ...control, signal: either }, splitTailWords(words.slice(1)).own);
  },
  top: async ({ config }, control, { signal, outputClosed, terminalInput, terminalSize }) => {
    const { runTop } = await import('../admin/top-command.ts');
    // `top` ends with the reader of its output; the agent does not.
    const either = AbortSignal.any([signal, outputClosed]);
    const terminal = { terminalSize, ...(terminalInput && { terminalInput }) };
    return runTop(config, { ...control, signal: either }, terminal);
  },
};

function createControl(
  { config }: LoadedConfig,
  invocation: Invocation,
  reloading: { readonly isDue: boolean; readonly load: () => Promise<LoadedConfig> },
): Control {
  let { logLevel } = config;
  const { writeTerminal } = invocation;
  const log = createLog({
    get level() {
      return logLevel;
    },
    // A line of progress may be on this line of the terminal.
    write: (line) => invocation.writeError(writeTerminal === undefined ? line : clearLine + line),
    readable: invocation.isErrorTerminal,
    coloured: invocation.isErrorTerminal && wantsColours(invocation),
  });
  return {
    signal: invocation.signal,
    log,
    write: invocation.writeOut,
    ...(invocation.standardOutput && { standardOutput: invocation.standardOutput }),
    tailPanel: async (shown, request, sink) => {
      const { tailForPanel } = await import('./tail-panel.ts');
      return tailForPanel(shown, { log }, request, sink);
    },
    hasColours: invocation.terminalSize() !== undefined && wantsColours(invocation),
    progress: { writeLine: (line) => log.info(undefined, line), writeTerminal },
    ...(invocation.reloads && {
      reload: {
        requests: invocation.reloads,
        isDue: () => reloading.isDue,
        load: async () => {
          const { fitToCgroup } = await import('../host/sizing.ts');
          return fitToCgroup(await reloading.load());
        },
        setLogLevel: (level) => {
          logLevel = level;
        },
      },
    }),
  };
}

/** https://no-color.org: any value that is not empty means no colours, and so does TERM=dumb. */
function wantsColours({ environment }: Invocation): boolean {
  const { NO_COLOR: isOff = '', TERM: terminal } = environment;
  return isOff === '' && terminal !== 'dumb';
}

function unknownCommand(word: string): AgentError {
  const near = nearest(word, commands);
  const isFlag = word.startsWith('-') && keyedFlag(word);
  const hint = isFlag
    ? `the command comes first: tailship run ${word} …`
    : near === undefined
      ? `commands are ${commands.join(', ')}`
      : `meant is ${near}?`;
  return configError(`unknown command ${word}; ${hint}`);
}

function keyedFlag(word: string): boolean {
  const name = word
    .replace(/^--(?:no-)?/, '')
    .replace(/=.*$/, '')
    .replaceAll('-', '')
    .toLowerCase();
  return (Object.keys(options) as ConfigKey[]).some((key) => key.toLowerCase() === name);
}

type OperatingError = Error & { readonly code: string };

/**
 * AgentErrors and system errors (a port in use, a missing file) end in one line; anything else is a
 * bug and shows its stack.
 */
function isOperating(error: unknown): error is OperatingError {
  return error instanceof AgentError || (isSystemError(error) && error.code !== undefined);
}
