// How an option is described: one row of the table in options.ts.

export const commands = [
  'run',
  'emulator',
  'demo',
  'check',
  'top',
  'tail',
  'dead-letters',
  'migrate',
  'convert',
  'bench',
  'manifests',
  'completion',
  'rules',
] as const;
export type Command = (typeof commands)[number];

/** Kinds whose values are lists; their flags may be repeated. */
const listKindNames = [
  'paths',
  'globs',
  /** Names with `*` and `?`. */
  'names',
  /** `NAME=GLOB[:format]`. */
  'nodeFiles',
  'rates',
  'redactions',
  'samples',
  'outputs',
] as const;
export type ListKind = (typeof listKindNames)[number];
export const listKinds: ReadonlySet<string> = new Set(listKindNames);

/**
 * One option. Its name gives the YAML key, the flag (`--kebab-case`) and the variable
 * (`TAILSHIP_UPPER_SNAKE`).
 */
export type OptionRow = {
  readonly kind:
    | ListKind
    | 'text'
    /** The id of a Google Cloud project. */
    | 'project'
    | 'path'
    /** A list in the YAML file, or the path of a file with one; kept as JSON once checked. */
    | 'rules'
    | 'url'
    /** A URL with names of `templateNames` in braces. */
    | 'template'
    | 'hostPort'
    | 'boolean'
    | 'choice'
    | 'count'
    | 'bytes'
    | 'milliseconds'
    | 'amount';
  /** Undefined: not set unless the user does. */
  readonly default?: string | number | boolean | readonly string[] | HostPort;
  /** Undefined: `run` and `check`. */
  readonly commands?: readonly Command[];
  /** One sentence, without the default. */
  readonly help: string;
  /** The name of the value in the help, if not that of its kind. */
  readonly placeholder?: string;
  readonly choices?: readonly string[];
  /** Inclusive range of numbers; `min` is 0 if undefined. */
  readonly min?: number;
  readonly max?: number;
  /** hostPort: `off` is allowed and means undefined. */
  readonly mayBeOff?: true;
  /** url: a user and a password before the host are used. */
  readonly mayHaveUser?: true;
  /** A changed value applies at once; other options apply at the next start. */
  readonly isHot?: true;
  /** Variables of other tools that apply when ours is not set. */
  readonly foreignVariables?: readonly string[];
};

/** The names in a template, which the page replaces by a container's values. */
export const templateNames = [
  'namespace',
  'pod',
  'container',
  'node',
  'cluster',
  'location',
  'project',
] as const;

export type HostPort = { readonly host: string; readonly port: number };

/** Commands that run an agent, or check one. */
export const agentCommands = ['run', 'demo', 'check'] as const;
