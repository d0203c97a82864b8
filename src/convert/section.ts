// A configuration of fluentd or Fluent Bit as a tree: sections of directives, each with its file
// and line.

export type Place = {
  readonly file: string;
  /** From 1. */
  readonly line: number;
};

export type Directive = Place & { readonly key: string; readonly value: string };

export type Section = Place & {
  /** `filter`, `INPUT`. */
  readonly name: string;
  /** What follows the name: fluentd's tag pattern or label. */
  readonly argument: string;
  readonly directives: readonly Directive[];
  readonly sections: readonly Section[];
};

/** A section while it is read. */
export type GrowingSection = Section & {
  readonly directives: Directive[];
  readonly sections: Section[];
};

/** Reports a line that is not understood. */
export type ReportOdd = (place: Place, text: string) => void;

export function newSection(name: string, argument: string, { file, line }: Place): GrowingSection {
  return { name, argument, file, line, directives: [], sections: [] };
}

/** All directives with one of the keys, whatever their case. */
export function directivesOf(section: Section, ...keys: readonly string[]): Directive[] {
  const wanted = keys.map((key) => key.toLowerCase());
  return section.directives.filter(({ key }) => wanted.includes(key.toLowerCase()));
}

/** The value of the first directive with one of the keys. */
export function valueOf(section: Section, ...keys: readonly string[]): string | undefined {
  return directivesOf(section, ...keys)[0]?.value;
}

export function sectionsOf(section: Section, ...names: readonly string[]): Section[] {
  const wanted = names.map((name) => name.toLowerCase());
  return section.sections.filter(({ name }) => wanted.includes(name.toLowerCase()));
}

/** Whether a directive is true, in any spelling that the two agents accept. */
export function isOn(value: string | undefined): boolean {
  return value !== undefined && /^(?:on|true|yes|1)?$/i.test(value);
}

/** Whether the other agent computes the value at start-up, from Ruby or its environment. */
export function isComputed(value: string): boolean {
  return /#\{|\{\{|\$\{(?!record|tag|time|hostname)/.test(value);
}

/** `@type` of a fluentd plugin. */
export function typeOf(section: Section): string {
  return (valueOf(section, '@type', 'type') ?? '').toLowerCase();
}
