// Reads Fluent Bit's two forms of configuration, classic and YAML, into the same tree.
//
// Invariant: every text is read to its end; a syntax problem is reported, not thrown. Variables
// from @SET and `env` are substituted; environment variables stay as they are.

import type { Node, Pair, YAMLMap } from 'yaml';
import { isYamlConfiguration, type ConfSource } from './conf-source.ts';
import {
  newSection,
  type Directive,
  type GrowingSection,
  type Place,
  type ReportOdd,
  type Section,
} from './section.ts';

/** The root section of a text: its sections, and the `@INCLUDE` directives. */
export async function parseFluentBit(source: ConfSource, report: ReportOdd): Promise<Section> {
  const root = newSection('', '', { file: source.name, line: source.firstLine });
  const variables = new Map<string, string>();
  if (isYamlConfiguration(source.text)) await readYaml(source, { root, variables, report });
  else readClassic(source, { root, variables, report });
  return withVariables(root, variables);
}

type Reading = {
  readonly root: GrowingSection;
  readonly variables: Map<string, string>;
  readonly report: ReportOdd;
};

function readClassic(source: ConfSource, { root, variables, report }: Reading): void {
  let section: GrowingSection | undefined;
  for (const [index, text] of source.text.split('\n').entries()) {
    const line = text.trim();
    const place = { file: source.name, line: source.firstLine + index };
    if (line === '' || line.startsWith('#')) continue;
    const [, name] = /^\[\s*([\w-]+)\s*\]/.exec(line) ?? [];
    const [, command = '', rest = ''] = /^@(include|set)\s+(.*)$/i.exec(line) ?? [];
    const [, key = '', value = ''] = /^(\S+)\s*(.*)$/s.exec(line) ?? [];
    if (name !== undefined) {
      section = newSection(name.toUpperCase(), '', place);
      root.sections.push(section);
    } else if (command.toLowerCase() === 'include') {
      root.directives.push({ ...place, key: '@INCLUDE', value: rest });
    } else if (command !== '') {
      const at = rest.indexOf('=');
      if (at === -1) report(place, `@SET ${rest} sets nothing`);
      else variables.set(rest.slice(0, at).trim(), rest.slice(at + 1).trim());
    } else if (section === undefined) report(place, `${key} is in no section`);
    else section.directives.push({ ...place, key, value });
  }
}

/** The location of a YAML node. */
type PlaceOf = (node: unknown) => Place;

const listNames: Readonly<Record<string, string>> = {
  inputs: 'INPUT',
  filters: 'FILTER',
  outputs: 'OUTPUT',
  parsers: 'PARSER',
  multiline_parsers: 'MULTILINE_PARSER',
};

async function readYaml(source: ConfSource, { root, variables, report }: Reading): Promise<void> {
  const { LineCounter, parseDocument, isMap, isSeq, isScalar } = await import('yaml');
  const lines = new LineCounter();
  const document = parseDocument(source.text, { lineCounter: lines, logLevel: 'silent' });
  const placeOf: PlaceOf = (node) => {
    const { range } = node as Partial<Node>;
    const { line } = lines.linePos(range?.[0] ?? 0);
    return { file: source.name, line: source.firstLine + Math.max(line, 1) - 1 };
  };
  for (const error of document.errors) {
    const line = source.firstLine + (error.linePos?.[0].line ?? 1) - 1;
    report({ file: source.name, line }, error.message.split('\n')[0] ?? '');
  }
  const plain = (node: unknown): unknown => (node as Node | null)?.toJSON() as unknown;
  const addSection = (name: string, map: YAMLMap): void => {
    const section = newSection(name, '', placeOf(map));
    for (const { key, value } of map.items) {
      section.directives.push(...directivesOfNode(String(plain(key)), plain(value), placeOf(key)));
    }
    root.sections.push(section);
  };
  const readPair = ({ key: keyNode, value }: Pair): void => {
    const key = String(plain(keyNode));
    const listName = listNames[key];
    if (key === 'service' && isMap(value)) addSection('SERVICE', value);
    else if (key === 'env' && isMap(value)) {
      for (const pair of value.items) {
        variables.set(String(plain(pair.key)), String(plain(pair.value)));
      }
    } else if (key === 'includes' && isSeq(value)) {
      for (const item of value.items) {
        if (!isScalar(item)) continue;
        root.directives.push({ ...placeOf(item), key: '@INCLUDE', value: String(item.value) });
      }
    } else if (key === 'pipeline' && isMap(value)) for (const pair of value.items) readPair(pair);
    else if (listName !== undefined && isSeq(value)) {
      for (const item of value.items) if (isMap(item)) addSection(listName, item);
    } else report(placeOf(keyNode), `${key} has no equivalent`);
  };
  if (!isMap(document.contents)) return;
  for (const pair of document.contents.items) readPair(pair);
}

/** A list repeats the key; a nested value becomes JSON. */
function directivesOfNode(key: string, value: unknown, place: Place): Directive[] {
  const values = Array.isArray(value) ? (value as unknown[]) : [value];
  return values.map((each) => {
    const isText = typeof each === 'string' || each === null || each === undefined;
    return { ...place, key, value: isText ? (each ?? '') : (JSON.stringify(each) ?? '') };
  });
}

function withVariables(section: Section, variables: ReadonlyMap<string, string>): Section {
  const put = (text: string): string =>
    text.replaceAll(/\$\{([\w.-]+)\}/g, (whole, name: string) => variables.get(name) ?? whole);
  return {
    ...section,
    directives: section.directives.map((each) => ({ ...each, value: put(each.value) })),
    sections: section.sections.map((each) => withVariables(each, variables)),
  };
}
