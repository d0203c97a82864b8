// The rules of the configuration as they are after checking: plain data, which is compared, hashed
// and copied between threads.
//
// Invariant: whatever is here can be carried out; every pattern compiles, every name is known.

import type { Severity } from '../log-severity.ts';

/** A field of the payload: `a`, or `a.b` for `b` within `a`. */
export type FieldPath = string;

/** A scalar, array or object of JSON, as its text. */
export type JsonText = string;

/** Which containers, and which of their lines, a rule is for. All that is given must match. */
export type RuleMatch = {
  /** Globs of `namespace/pod/container`, any of which matches; none: all containers. */
  readonly containers: readonly string[];
  /** Labels of the pod and globs of their values. */
  readonly podLabels: Readonly<Record<string, string>>;
  readonly stream: 'stdout' | 'stderr' | undefined;
};

/** What a record must have to be dropped or kept; all that is given. */
export type Condition = {
  /** RE2, searched in the field, or in the record as it was written. */
  readonly pattern: string | undefined;
  readonly field: FieldPath | undefined;
  /** Any of these. */
  readonly severities: readonly Severity[] | undefined;
  /** Each of these, which have none themselves. */
  readonly all?: readonly Condition[];
};

export const parseFormats = [
  'logfmt',
  'json',
  'regex',
  'nginx',
  'apache',
  'klog',
  'syslog',
] as const;
export type ParseFormat = (typeof parseFormats)[number];

export const valueTypes = ['string', 'integer', 'float', 'boolean'] as const;
export type ValueType = (typeof valueTypes)[number];

export type ParseAction = {
  readonly format: ParseFormat;
  /** The text that is parsed; undefined: that of a record which is no object. */
  readonly field: FieldPath | undefined;
  /** `regex`: RE2 with named groups. `json`: RE2 of what is before the object. */
  readonly pattern: string | undefined;
  /** Of fields that are no strings. */
  readonly types: Readonly<Record<string, ValueType>>;
  /** The parsed field stays beside what it was parsed into. */
  readonly keepField: boolean;
};

export const severityMapNames = ['pino', 'bunyan', 'log4j', 'syslog', 'python'] as const;
export type SeverityMapName = (typeof severityMapNames)[number];

export type SeverityAction = {
  readonly from: FieldPath;
  /** undefined: the names and numbers of Cloud Logging, and what log libraries write for them. */
  readonly map: SeverityMapName | Readonly<Record<string, Severity>> | undefined;
};

export type TimeAction = {
  readonly from: FieldPath;
  /** A name of `timeFormats`, or one with `%`. */
  readonly format: string;
  /** Minutes east of UTC, of times that name no zone. */
  readonly offsetMinutes: number;
};

export const timeFormats = ['rfc3339', 'unix', 'unix_ms', 'unix_us', 'unix_ns'] as const;

export type RedactAction = {
  readonly pattern: string;
  /** `$1`, `${name}` and `$&` are what the pattern's groups matched. */
  readonly with: string;
};

/** What a rule does, in the order in which it is done. */
export type RecordSteps = {
  readonly stream?: 'stdout' | 'stderr';
  readonly drop?: readonly Condition[];
  readonly keep?: readonly Condition[];
  /** Of these, the first that matches. */
  readonly parse?: readonly ParseAction[];
  readonly severity?: SeverityAction;
  readonly time?: TimeAction;
  readonly message?: { readonly from: FieldPath };
  readonly rename?: readonly (readonly [from: FieldPath, to: FieldPath])[];
  readonly remove?: readonly FieldPath[];
  readonly set?: readonly (readonly [FieldPath, JsonText])[];
  readonly redact?: readonly RedactAction[];
  /** Shares by severity, 0 to 1, in the order of `severityNames`. */
  readonly sample?: readonly number[];
  /** Labels of the entry, where only one stream of the container has them. */
  readonly labels?: Readonly<Record<string, string>>;
};

/** A label's value: a text, or that of a label or annotation of the pod. */
export type LabelSource =
  | { readonly value: string }
  | { readonly podLabel: string; readonly default?: string }
  | { readonly annotation: string; readonly default?: string };

/** What all entries of a container have in common. */
export type TemplateSettings = {
  readonly labels?: Readonly<Record<string, LabelSource>>;
  readonly project?: string;
  /** The log's id, not escaped. */
  readonly logName?: string;
  /** Labels of the monitored resource. */
  readonly resource?: Readonly<Record<string, string>>;
};

export type Rule = {
  /** As given, or its place in the list, from 1. */
  readonly name: string;
  readonly match: RuleMatch;
  /** RE2: a record begins at each line that matches. */
  readonly firstLine?: string;
  readonly steps: RecordSteps;
  readonly template: TemplateSettings;
};
