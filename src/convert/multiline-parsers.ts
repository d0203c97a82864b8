// Fluent Bit's multiline parsers: the built-in ones, and the start state of custom ones.

import { re2Of } from './foreign-pattern.ts';
import type { FilterSite } from './record-filters.ts';
import { directivesOf, type Section } from './section.ts';

/** The parsers that the configuration defines, by name. */
export type Parsers = {
  readonly lines: ReadonlyMap<string, Section>;
  readonly multiline: ReadonlyMap<string, Section>;
};

/** The runtime's, one for stack traces, or one that the configuration defines. */
export function takeMultiline(name: string, { multiline }: Parsers, site: FilterSite): void {
  const { draft, place, subject } = site;
  if (/^(?:cri|docker)$/.test(name)) {
    draft.note('taken', place, subject, `${name}: lines that the runtime cut are joined`);
    return;
  }
  if (/^(?:java|python|go|ruby)$/.test(name)) {
    draft.setOption('joinStackTraces', true, place, `${subject} ${name}`);
    return;
  }
  const own = multiline.get(name);
  const start = own && startOf(own);
  if (start === undefined) {
    draft.note('none', place, subject, `${name} is not known here`);
    return;
  }
  draft.addRule({ ...site, subject: `${subject} ${name}` }, { firstLine: re2Of(start) });
  const text = `${name}: every line up to the next first line is joined, whatever its other rules say`;
  draft.note('changed', place, subject, text);
}

/** The pattern of `start_state`: `rule "start_state" "/^\d/" "cont"`, or the same in YAML. */
function startOf(parser: Section): string | undefined {
  for (const { value } of [...directivesOf(parser, 'rule'), ...directivesOf(parser, 'rules')]) {
    const [, pattern] = /^"start_state"\s+"((?:[^"\\]|\\.)*)"/.exec(value) ?? [];
    if (pattern !== undefined) return pattern;
    try {
      const rule = JSON.parse(value) as { readonly state?: unknown; readonly regex?: unknown };
      if (rule.state === 'start_state' && typeof rule.regex === 'string') return rule.regex;
    } catch {
      // The classic form, for another state.
    }
  }
  return undefined;
}
