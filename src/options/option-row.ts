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

/**
 * One option: key of the YAML file (camelCase), flag (`--kebab-case`) and variable
 * (`TAILSHIP_UPPER_SNAKE`) follow from its name.
 */
export type OptionRow = {
  readonly kind:
    | 'text'
    | 'path'
    | 'paths'
    | 'globs'
    /** Names with `*` and `?`. */
    | 'names'
    /** `NAME=GLOB[:format]`. */
    | 'nodeFiles'
    | 'rates'
    | 'redactions'
    | 'samples'
    | 'outputs'
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
  /** undefined: not set unless the user does. */
  readonly default: string | number | boolean | readonly string[] | HostPort | undefined;
  readonly commands: readonly Command[];
  /** One sentence, without the default. */
  readonly help: string;
  /** The name of the value in the help. */
  readonly placeholder?: string;
  readonly choices?: readonly string[];
  /** Inclusive range of numbers. */
  readonly min?: number;
  readonly max?: number;
  /** hostPort: `off` is allowed and means undefined. */
  readonly mayBeOff?: true;
  /** A changed configuration holds for it at once; the others hold at the next start. */
  readonly isHot?: true;
  /** Variables of other tools that count when ours is not set. */
  readonly foreignVariables?: readonly string[];
};

/** Kinds whose values are lists; a flag of theirs may be repeated. */
export const listKinds: ReadonlySet<OptionRow['kind']> = new Set([
  'paths',
  'globs',
  'names',
  'nodeFiles',
  'rates',
  'redactions',
  'samples',
  'outputs',
]);

/** What a template may name; the page puts a container's values in. */
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

/** Commands that run an agent, or say what one would do. */
export const agentCommands = ['run', 'demo', 'check'] as const;
