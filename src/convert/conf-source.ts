// The texts of a configuration: plain files, and those inside a ConfigMap or the values of a Helm
// chart.
//
// Invariant: what is returned looks like the agent's configuration; a file without such a text
// is refused.

import { readFileSync, statSync } from 'node:fs';
import { basename, dirname } from 'node:path';

import { limits } from '../config.ts';
import { AgentError, configError, errorText } from '../errors.ts';

export type ForeignSyntax = 'fluentd' | 'fluent-bit';

export type ConfSource = {
  /** `FILE`, or `FILE:KEY` for a text inside YAML. */
  readonly name: string;
  readonly text: string;
  /** The line of the file where the text begins. */
  readonly firstLine: number;
  /** Where includes are searched; undefined inside YAML. */
  readonly directory: string | undefined;
};

/** Read instead of a file with this name. */
const standardInput = '-';
const standardInputDescriptor = 0;

const looks: Readonly<Record<ForeignSyntax, RegExp>> = {
  fluentd: /^\s*(?:<(?:source|match|filter|label|system|worker|workers)\b[^>\n]*>|@include\s)/m,
  'fluent-bit':
    /^\s*\[(?:service|input|filter|output|parser|multiline_parser|custom|plugins|upstream|node|stream_task)\]\s*$|^\s*@(?:include|set)\s/im,
};
const yamlBeginning =
  /^(?:service|pipeline|parsers|multiline_parsers|includes|env|customs|plugins)\s*:/m;

/** Configurations, and the Lua scripts next to them in YAML, by key. */
export type ConfTexts = {
  readonly sources: readonly ConfSource[];
  readonly scripts: ReadonlyMap<string, string>;
};

/** The texts of all files. Throws CONFIG_INVALID for a file that holds none. */
export async function readConfSources(
  syntax: ForeignSyntax,
  files: readonly string[],
): Promise<ConfTexts> {
  const scripts = new Map<string, string>();
  const sources: ConfSource[] = [];
  for (const file of files) {
    const text = readText(file);
    const plain = { name: file, text, firstLine: 1, directory: dirname(file) };
    const inner = mayHoldTexts(file, text)
      ? await textsWithin(syntax, { file, text, scripts })
      : [];
    if (inner.length > 0) sources.push(...inner);
    else if (looksLike(syntax, text)) sources.push(plain);
    else throw configError(`${file} is no configuration of ${syntax}`);
  }
  return { sources, scripts };
}

/** The text of an included file; undefined when it cannot be read. */
export function readIncluded(file: string): ConfSource | undefined {
  try {
    return { name: file, text: readText(file), firstLine: 1, directory: dirname(file) };
  } catch (error) {
    if (error instanceof AgentError) return undefined;
    throw error;
  }
}

/** Whether a text is YAML that Fluent Bit reads. */
export function isYamlConfiguration(text: string): boolean {
  return yamlBeginning.test(text) && !looks['fluent-bit'].test(text);
}

function looksLike(syntax: ForeignSyntax, text: string): boolean {
  return looks[syntax].test(text) || (syntax === 'fluent-bit' && isYamlConfiguration(text));
}

function readText(file: string): string {
  let text: string;
  try {
    text =
      file === standardInput ? readFileSync(standardInputDescriptor, 'utf8') : readRegular(file);
  } catch (error) {
    const reason = errorText(error);
    throw configError(`${file} cannot be read: ${reason}`, { cause: error });
  }
  if (text.includes('\0')) throw configError(`${file} is no text`);
  return text.replace(/^\uFEFF/, '').replaceAll(/\r\n?/g, '\n');
}

function readRegular(file: string): string {
  const stats = statSync(file);
  if (!stats.isFile()) throw new Error('it is no regular file');
  if (stats.size > limits.migrateBytesMax) throw new Error(`it has ${stats.size} bytes`);
  return readFileSync(file, 'utf8');
}

/** ConfigMaps, and the values of charts. */
function mayHoldTexts(file: string, text: string): boolean {
  const isJson = file.endsWith('.json') && text.trimStart().startsWith('{');
  return isJson || /\.ya?ml$/.test(file) || /^[A-Za-z][\w.-]*:(?:\s|$)/m.test(text);
}

type Yaml = {
  readonly file: string;
  readonly text: string;
  readonly scripts: Map<string, string>;
};

async function textsWithin(
  syntax: ForeignSyntax,
  { file, text, scripts }: Yaml,
): Promise<ConfSource[]> {
  const { LineCounter, parseAllDocuments, visit, isPair, isScalar } = await import('yaml');
  const lines = new LineCounter();
  const documents = parseAllDocuments(text, { lineCounter: lines, logLevel: 'silent' });
  const found: ConfSource[] = [];
  if (!Array.isArray(documents)) return found;
  for (const document of documents) {
    visit(document, {
      Scalar(key, node, path) {
        if (key !== 'value' || typeof node.value !== 'string') return;
        const pair = path.at(-1);
        const name = isPair(pair) && isScalar(pair.key) ? String(pair.key.value) : 'text';
        if (name.endsWith('.lua')) scripts.set(name, node.value);
        if (!looksLike(syntax, node.value)) return;
        const isBlock = node.type === 'BLOCK_LITERAL' || node.type === 'BLOCK_FOLDED';
        const line = lines.linePos(node.range?.[0] ?? 0).line;
        found.push({
          name: `${file}:${name}`,
          text: node.value.replaceAll(/\r\n?/g, '\n'),
          firstLine: line + Number(isBlock),
          directory: undefined,
        });
      },
    });
  }
  return found;
}

/** The file within a path or a ConfigMap, by which an include names it. */
export function fileNameOf({ name, directory }: ConfSource): string {
  return directory === undefined ? name.slice(name.lastIndexOf(':') + 1) : basename(name);
}
