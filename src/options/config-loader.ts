// Makes the one frozen Config from flags, variables, the YAML file and the defaults, in this order
// of precedence. Nothing is read but what is passed in and the YAML file.

import { readFileSync, statSync } from 'node:fs';
import { type Command, type Config, type ConfigKey, type OptionRow, options } from './options.ts';
import { configError, errorText } from '../errors.ts';
import { ConfigProblems } from './config-problems.ts';
import { nearest } from './nearest.ts';
import { type OptionValue, parseOptionValue, valueText } from './option-value.ts';
import { isObject } from '../json-value.ts';
import { parseRedaction } from '../record-rule.ts';
import type { Rule } from '../rules/rule.ts';

/** Where a value came from: `default`, `--flag`, `TAILSHIP_NAME`, or `FILE`. */
export type ConfigOrigin = string;

export type LoadedConfig = {
  readonly config: Config;
  readonly origins: Readonly<Record<ConfigKey, ConfigOrigin>>;
  /** Probable mistakes, such as an unknown TAILSHIP_ variable; for the log and `tailship check`. */
  readonly warnings: readonly string[];
};

export type ConfigInput = {
  readonly command: Command;
  /** The values of the command line, by key. */
  readonly flags: Readonly<Partial<Record<ConfigKey, unknown>>>;
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** Problems of the command line; all others are added to them and thrown together. */
  readonly problems?: ConfigProblems;
  /** It was loaded before. A pipe has nothing more to say then, and may block. */
  readonly isReload?: boolean;
};

export const configKeys = Object.keys(options) as ConfigKey[];

/** `containersDir` → `--containers-dir`. */
export function flagOf(key: ConfigKey): string {
  return `--${key.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;
}

/** `containersDir` → `TAILSHIP_CONTAINERS_DIR`. */
export function variableOf(key: ConfigKey): string {
  return `TAILSHIP_${flagOf(key).slice(2).replaceAll('-', '_').toUpperCase()}`;
}

/** The row of an option as its general type, with the commands that have it. */
export function rowOf(key: ConfigKey): OptionRow & Required<Pick<OptionRow, 'commands'>> {
  return { commands: ['run', 'check'], ...options[key] };
}

type Values = Partial<Record<ConfigKey, OptionValue>>;
type Origins = Partial<Record<ConfigKey, ConfigOrigin>>;
type Written = { readonly value: unknown; readonly origin: ConfigOrigin; readonly where: string };

/**
 * The configuration of one command. Throws CONFIG_INVALID, which names each wrong key and value.
 */
export async function loadConfig(input: ConfigInput): Promise<LoadedConfig> {
  const problems = input.problems ?? new ConfigProblems();
  const file = await readFile(input, problems);
  const values: Values = {};
  const origins: Origins = {};
  for (const key of configKeys) {
    // Other commands' options keep their defaults: one file and environment may serve all commands.
    const isOfCommand = rowOf(key).commands.includes(input.command);
    const written = isOfCommand
      ? (writtenBefore(input, key) ?? file.get(key) ?? foreignVariable(input, key))
      : undefined;
    origins[key] = written?.origin ?? 'default';
    values[key] = rowOf(key).default;
    if (written === undefined) continue;
    const { value, where } = written;
    values[key] =
      rowOf(key).kind === 'rules'
        ? await readRules(written, input, problems)
        : problems.attempt(() => parseOptionValue(rowOf(key), value, where));
  }
  problems.throwIfAny();
  applyFrom(values, origins);
  applyNoProxy(values, origins, input.environment);
  await checkRedactions(values, origins);
  if (rowOf('kubernetesApi').commands.includes(input.command)) {
    applyClusterApi(values, origins, input.environment);
  }
  return Object.freeze({
    config: freeze(values),
    origins: Object.freeze(origins as Record<ConfigKey, ConfigOrigin>),
    warnings: Object.freeze([
      ...unknownVariables(input.environment),
      ...(await rulesWithoutPods(values, input.command)),
    ]),
  });
}

function freeze(values: Values): Config {
  for (const value of Object.values(values)) Object.freeze(value);
  return Object.freeze(values) as Config;
}

function writtenBefore(input: ConfigInput, key: ConfigKey): Written | undefined {
  const flag = input.flags[key];
  if (flag !== undefined) return { value: flag, origin: flagOf(key), where: flagOf(key) };
  const variable = variableOf(key);
  const value = input.environment[variable];
  // In a manifest an empty variable means "not set". Kubernetes sets TAILSHIP_PORT=tcp://… beside a
  // Service of our name.
  if (value === undefined || value === '' || isServiceLink(value)) return undefined;
  return { value, origin: variable, where: variable };
}

function foreignVariable(input: ConfigInput, key: ConfigKey): Written | undefined {
  for (const variable of rowOf(key).foreignVariables ?? []) {
    const value = input.environment[variable];
    if (value !== undefined && value !== '') return { value, origin: variable, where: variable };
  }
  return undefined;
}

/** The values in the file of `--config`; none when there is no file, or it cannot be read. */
async function readFile(
  input: ConfigInput,
  problems: ConfigProblems,
): Promise<Map<ConfigKey, Written>> {
  const written = new Map<ConfigKey, Written>();
  const path = writtenBefore(input, 'config');
  if (path === undefined) return written;
  const parsed = problems.attempt(() => parseOptionValue(options.config, path.value, path.where));
  if (parsed === undefined) return written;
  const file = valueText(parsed);
  const root = await problems.settle(parseYaml(file, input));
  for (const [name, value] of Object.entries(root ?? {})) {
    const key = problems.attempt(() => keyNamed(name, file));
    if (key === undefined || value === null) continue;
    written.set(key, { value, origin: file, where: `${name} in ${file}` });
  }
  return written;
}

function keyNamed(name: string, file: string): ConfigKey {
  const key = configKeys.find((known) => known === name);
  if (key === 'config') throw configError(`${file} names another file: config is a flag only`);
  if (key !== undefined) return key;
  const known = configKeys.filter((each) => each !== 'config');
  const near = nearest(name, known);
  const hint = near === undefined ? `known are ${known.join(', ')}` : `meant is ${near}?`;
  throw configError(`${file} has the unknown key ${name}; ${hint}`);
}

async function parseYaml(
  file: string,
  input: ConfigInput,
): Promise<Readonly<Record<string, unknown>>> {
  const root = (await readYaml(file, input)) ?? {};
  if (isObject(root)) return root;
  throw configError(`${file} must hold \`key: value\` lines`);
}

/** The value of the file, which must not contain itself. */
async function readYaml(file: string, { isReload = false }: ConfigInput): Promise<unknown> {
  let root: unknown;
  try {
    if (isReload && isStream(file)) throw new Error('a pipe or device can be read only once');
    const text = readFileSync(file, 'utf8');
    const { parseDocument } = await import('yaml');
    const document = parseDocument(text, { prettyErrors: true, logLevel: 'error' });
    const [wrong] = [...document.errors, ...document.warnings];
    if (wrong?.code === 'MULTIPLE_DOCS') throw new Error('it contains multiple documents');
    if (wrong !== undefined) throw wrong;
    root = document.toJS();
    if (isCircular(root)) throw new Error('an alias points at what holds it');
  } catch (error) {
    const [line = ''] = errorText(error).split('\n');
    const reason = line.replace(/:$/, '');
    throw configError(`${file} cannot be read: ${reason}`, { cause: error });
  }
  return root;
}

/** Whether the file gives its content only once: a pipe, `/dev/stdin`. */
export function isStream(file: string): boolean {
  const stats = statSync(file);
  return !stats.isFile() && !stats.isDirectory();
}

/** Whether a value contains itself, or is nested too deep to be written. */
function isCircular(value: unknown): boolean {
  try {
    JSON.stringify(value);
    return false;
  } catch {
    return true;
  }
}

/** JSON of the checked rules, from the list or from the file that is named; undefined for none. */
async function readRules(
  { value, origin, where }: Written,
  input: ConfigInput,
  problems: ConfigProblems,
): Promise<string | undefined> {
  let list = value;
  let file = origin;
  if (typeof value === 'string') {
    file = value;
    list = await problems.settle(readRuleFile(value, where, input));
    if (list === undefined) return undefined;
  }
  const { parseRules } = await import('../rules/parse-rules.ts');
  const parsed = parseRules(list);
  for (const { path, text } of parsed.problems) problems.note(`${path} in ${file} ${text}`);
  return parsed.rules.length === 0 ? undefined : JSON.stringify(parsed.rules);
}

/** Warns of rules that match nothing because the agent does not know the labels of pods. */
async function rulesWithoutPods(
  { rules, kubernetesMetadata, kubernetesApi }: Values,
  command: Command,
): Promise<string[]> {
  const isAsked = kubernetesMetadata !== 'off' && kubernetesApi !== undefined;
  const isOfCommand = rowOf('kubernetesMetadata').commands.includes(command);
  if (typeof rules !== 'string' || isAsked || !isOfCommand) return [];
  const { asksForPods } = await import('../rules/rule-text.ts');
  const asking = (JSON.parse(rules) as readonly Rule[]).filter(asksForPods);
  if (asking.length === 0) return [];
  const names = asking.map(({ name }) => name).join(', ');
  const why =
    kubernetesMetadata === 'off' ? 'kubernetesMetadata is off' : 'kubernetesApi is not set';
  return [`rules ${names} ask for labels or annotations of pods, but ${why}`];
}

/** The list in a file, alone or under `rules`. */
async function readRuleFile(file: string, where: string, input: ConfigInput): Promise<unknown> {
  const root = await readYaml(file, input);
  const rules = isObject(root) ? root['rules'] : root;
  if (Array.isArray(rules)) return rules;
  throw configError(`${where} names ${file}, which has no list of \`rules\``);
}

/** Node logs begin at their end by default, but then `--once` would ship nothing. */
function applyFrom(values: Values, origins: Origins): void {
  if (origins.nodeFrom !== 'default') return;
  const source = origins.from === 'default' ? 'once' : 'from';
  if (origins[source] === 'default' || values[source] === false) return;
  values.nodeFrom = source === 'once' ? 'start' : values.from;
  origins.nodeFrom = origins[source] ?? 'default';
}

/** HTTPS_PROXY applies to https endpoints outside NO_PROXY; `--proxy` applies as it is. */
function applyNoProxy(
  values: Values,
  origins: Origins,
  environment: ConfigInput['environment'],
): void {
  if (!options.proxy.foreignVariables.some((variable) => variable === origins.proxy)) return;
  const { protocol, hostname } = new URL(valueText(values.endpoint));
  const noProxy = environment['NO_PROXY'] ?? environment['no_proxy'] ?? '';
  const exempt = noProxy.split(/[\s,]+/).some((part) => {
    const suffix = part.replace(/^\*?\.?/, '').replace(/:\d+$/, '');
    return part === '*' || (suffix !== '' && `.${hostname}`.endsWith(`.${suffix}`));
  });
  if (protocol === 'https:' && !exempt) return;
  values.proxy = undefined;
  origins.proxy = 'default';
}

/** Whether the patterns compile; their library is loaded only if there are any. */
async function checkRedactions(values: Values, origins: Origins): Promise<void> {
  const redactions = values.redact as readonly string[];
  if (redactions.length === 0) return;
  const { checkPatterns } = await import('../redaction-pattern.ts');
  try {
    checkPatterns(redactions.map((text) => parseRedaction(text).pattern));
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    const where = `redact of ${origins.redact}`;
    const text = `${where} is refused; allowed is ${error.message}`;
    throw configError(text, { cause: error });
  }
}

/** From the variables that the kubelet gives every container, so the API server needs no DNS. */
function applyClusterApi(
  values: Values,
  origins: Origins,
  environment: ConfigInput['environment'],
): void {
  const host = environment['KUBERNETES_SERVICE_HOST'] ?? '';
  if (values.kubernetesApi !== undefined || host === '') return;
  const port = environment['KUBERNETES_SERVICE_PORT'] ?? '443';
  const url = `https://${host.includes(':') ? `[${host}]` : host}:${port}`;
  const where = 'KUBERNETES_SERVICE_HOST';
  values.kubernetesApi = parseOptionValue(options.kubernetesApi, url, where);
  origins.kubernetesApi = where;
}

function unknownVariables(environment: ConfigInput['environment']): string[] {
  const known = configKeys.map(variableOf);
  const warnings: string[] = [];
  for (const [name, value] of Object.entries(environment)) {
    if (!name.startsWith('TAILSHIP_') || known.includes(name)) continue;
    if (/_SERVICE_(?:HOST|PORT)(?:_|$)|_PORT_\d+_(?:TCP|UDP|SCTP)(?:_|$)/.test(name)) continue;
    if (value === undefined || isServiceLink(value)) continue;
    const near = nearest(name, known);
    warnings.push(`unknown variable ${name}${near === undefined ? '' : `; meant is ${near}?`}`);
  }
  return warnings;
}

/** Kubernetes gives each pod such variables for the Services of its namespace. */
function isServiceLink(value: string): boolean {
  return /^(?:tcp|udp|sctp):\/\//.test(value);
}
