// The annotations of pods for Fluent Bit: `fluentbit.io/parser` and `fluentbit.io/exclude`, each
// for all containers or one (`-NAME`), both streams or one (`_stdout`, `_stderr`).
//
// Invariant: an annotation that is not understood changes nothing.

import { parserNamed } from '../known-parsers.ts';
import type { NamedSteps } from '../rules/resolve-rules.ts';

export type AgentWishes = {
  readonly isExcluded: boolean;
  readonly steps: readonly NamedSteps[];
  /** The name of a parser that is not known. */
  readonly unknownParser: string | undefined;
};

type Texts = Readonly<Record<string, string>>;
type Stream = 'stdout' | 'stderr';

const prefix = 'fluentbit.io/';
const streams: readonly Stream[] = ['stdout', 'stderr'];
const noWishes: AgentWishes = { isExcluded: false, steps: [], unknownParser: undefined };

export function agentWishes(annotations: Texts, container: string): AgentWishes {
  if (!Object.keys(annotations).some((key) => key.startsWith(prefix))) return noWishes;
  const excluded = streams.filter((stream) =>
    isYes(wishFor('exclude', { annotations, container, stream })),
  );
  const steps: NamedSteps[] = [];
  let unknownParser: string | undefined;
  if (excluded.length === 1) steps.push(dropAll(excluded));
  for (const [name, those] of parsersOf(annotations, container)) {
    const format = parserNamed(name);
    if (format === undefined) unknownParser = name;
    else if (format !== 'own') steps.push(parseAs(format, those));
  }
  return { isExcluded: excluded.length === streams.length, steps, unknownParser };
}

/** The value of the most specific annotation. */
function wishFor(
  what: 'parser' | 'exclude',
  { annotations, container, stream }: { annotations: Texts; container: string; stream: Stream },
): string | undefined {
  const key = [`_${stream}-${container}`, `-${container}`, `_${stream}`, '']
    .map((end) => `${prefix}${what}${end}`)
    .find((each) => Object.hasOwn(annotations, each));
  return key === undefined ? undefined : annotations[key]?.trim();
}

function isYes(text: string | undefined): boolean {
  return text !== undefined && /^(?:true|on|yes)$/i.test(text);
}

function parsersOf(annotations: Texts, container: string): Map<string, Stream[]> {
  const found = new Map<string, Stream[]>();
  for (const stream of streams) {
    const name = wishFor('parser', { annotations, container, stream });
    if (name !== undefined && name !== '') found.set(name, [...(found.get(name) ?? []), stream]);
  }
  return found;
}

function ofStreams(those: readonly Stream[]): { readonly stream?: Stream } {
  const [stream] = those;
  return those.length === 1 && stream !== undefined ? { stream } : {};
}

function dropAll(those: readonly Stream[]): NamedSteps {
  const all = { pattern: undefined, field: undefined, severities: undefined };
  return { name: `${prefix}exclude`, ...ofStreams(those), drop: [all] };
}

function parseAs(
  format: Exclude<ReturnType<typeof parserNamed>, 'own' | undefined>,
  those: readonly Stream[],
): NamedSteps {
  const action = { format, field: undefined, pattern: undefined, types: {}, keepField: false };
  return { name: `${prefix}parser`, ...ofStreams(those), parse: [action] };
}
