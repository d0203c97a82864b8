// Builds the tree of a whole configuration: included files replace their directive.
//
// Invariant: a file never includes itself, directly or not, so reading ends.

import { globSync } from 'node:fs';
import { basename, resolve } from 'node:path';

import { matchesGlob } from '../container-glob.ts';
import {
  fileNameOf,
  readConfSources,
  readIncluded,
  type ConfSource,
  type ConfTexts,
  type ForeignSyntax,
} from './conf-source.ts';
import { parseFluentBit } from './fluent-bit-syntax.ts';
import { parseFluentd } from './fluentd-syntax.ts';
import { newSection, type Directive, type ReportOdd, type Section } from './section.ts';

const depthMax = 10;
const includedMax = 200;

/** One root for all files: includes are resolved, and an included file is read once. */
export async function readTree(
  syntax: ForeignSyntax,
  files: readonly string[],
  report: ReportOdd,
): Promise<Section> {
  const texts = await readConfSources(syntax, files);
  const { sources } = texts;
  const reader = new TreeReader(syntax, texts, report);
  const trees: { readonly source: ConfSource; readonly tree: Section }[] = [];
  for (const source of sources) trees.push({ source, tree: await reader.read(source) });
  const root = newSection('', '', { file: files[0] ?? '', line: 1 });
  for (const { source, tree } of trees) {
    if (reader.isIncluded(source)) continue;
    root.directives.push(...tree.directives);
    root.sections.push(...tree.sections);
  }
  return root;
}

class TreeReader {
  readonly #syntax: ForeignSyntax;
  readonly #sources: readonly ConfSource[];
  readonly #scripts: ReadonlyMap<string, string>;
  readonly #report: ReportOdd;
  readonly #included = new Set<string>();
  #count = 0;

  constructor(syntax: ForeignSyntax, { sources, scripts }: ConfTexts, report: ReportOdd) {
    this.#syntax = syntax;
    this.#sources = sources;
    this.#scripts = scripts;
    this.#report = report;
  }

  isIncluded({ name }: ConfSource): boolean {
    return this.#included.has(name);
  }

  async read(source: ConfSource, within: readonly string[] = []): Promise<Section> {
    const tree =
      this.#syntax === 'fluentd'
        ? parseFluentd(source, this.#report)
        : await parseFluentBit(source, this.#report);
    return this.#expand(tree, source, [...within, source.name]);
  }

  async #expand(section: Section, source: ConfSource, within: readonly string[]): Promise<Section> {
    const grown = newSection(section.name, section.argument, section);
    const includes = section.directives.filter((each) => this.#isInclude(each));
    grown.directives.push(...section.directives.filter((each) => !this.#isInclude(each)));
    grown.directives.push(...this.#scriptsOf(section, source));
    const trees: Section[] = [];
    for (const include of includes) trees.push(...(await this.#include(include, source, within)));
    // Sections keep the order of the file; an include takes the position of its line.
    const parts = [...section.sections, ...includes].toSorted((a, b) => a.line - b.line);
    for (const part of parts) {
      if ('sections' in part) {
        grown.sections.push(await this.#expand(part, source, within));
        continue;
      }
      for (const tree of trees.filter(({ argument }) => argument === String(part.line))) {
        grown.directives.push(...tree.directives);
        grown.sections.push(...tree.sections);
      }
    }
    return grown;
  }

  /** Adds the text of a filter's script as `code`, which a configuration can also hold inline. */
  #scriptsOf({ directives }: Section, { directory }: ConfSource): Directive[] {
    return directives.flatMap((each) => {
      if (!/^script$/i.test(each.key)) return [];
      const given = this.#scripts.get(basename(each.value));
      const onDisk =
        directory === undefined ? undefined : readIncluded(resolve(directory, each.value));
      const value = given ?? onDisk?.text;
      return value === undefined ? [] : [{ ...each, key: 'code', value }];
    });
  }

  #isInclude({ key }: Directive): boolean {
    const isFluentBit = this.#syntax === 'fluent-bit';
    return /^@include$/i.test(key) || (isFluentBit && /^(?:parsers|streams)_file$/i.test(key));
  }

  /** The trees of the included files, whose argument is the line of the include. */
  async #include(
    { value, file, line }: Directive,
    source: ConfSource,
    within: readonly string[],
  ): Promise<Section[]> {
    const found = this.#find(value, source);
    // The parsers in Fluent Bit's image are known by name.
    if (found.length === 0 && !value.endsWith('/parsers.conf')) {
      this.#report({ file, line }, `${value} is not found: give that file, too`);
    }
    const trees: Section[] = [];
    for (const next of found) {
      this.#count += 1;
      const isCircle = within.includes(next.name);
      if (isCircle || within.length > depthMax || this.#count > includedMax) {
        this.#report({ file, line }, `${value} includes too much, or itself`);
        continue;
      }
      this.#included.add(next.name);
      trees.push({ ...(await this.read(next, within)), argument: String(line) });
    }
    return trees;
  }

  /** Searched by name in the given texts, then on disk relative to the including file. */
  #find(pattern: string, from: ConfSource): ConfSource[] {
    const name = pattern.slice(pattern.lastIndexOf('/') + 1);
    const isWild = name.includes('*');
    const given = this.#sources.filter((source) => {
      const other = fileNameOf(source);
      // Another include has it already; a wildcard must not include it again.
      if (source.name === from.name || (isWild && this.#included.has(source.name))) return false;
      return matchesGlob(name, other) || plainName(other) === plainName(name);
    });
    if (given.length > 0) {
      return given.toSorted((a, b) => (fileNameOf(a) < fileNameOf(b) ? -1 : 1));
    }
    if (from.directory === undefined || /^\w+:\/\//.test(pattern)) return [];
    const paths = /[*?[{]/.test(pattern)
      ? globSync(pattern, { cwd: from.directory }).toSorted()
      : [pattern];
    const files = paths.slice(0, includedMax).map((path) => resolve(from.directory ?? '', path));
    return files.map(readIncluded).filter((source) => source !== undefined);
  }
}

/** `custom_parsers.conf`, which a chart's values call `customParsers`. */
function plainName(name: string): string {
  return name
    .replace(/\.\w+$/, '')
    .replaceAll(/[^A-Za-z0-9*]/g, '')
    .toLowerCase();
}
