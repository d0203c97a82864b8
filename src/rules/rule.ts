// The rules of the configuration after validation: plain data that can be compared, hashed and
// copied between threads.
//
// Invariant: every rule can be executed; every pattern compiles, every name is known.

import type { Severity } from '../log-severity.ts';

/** A field of the payload: `a`, or `a.b` for `b` within `a`. */
export type FieldPath = string;

/** Any JSON value, as text. */
export type JsonText = string;

/** The containers and lines that a rule applies to. All given conditions must match. */
export type RuleMatch = {
  /** Globs of `namespace/pod/container`, any of which matches; none: all containers. */
  readonly containers: readonly string[];
  /** Labels of the pod and globs of their values. */
  readonly podLabels: Readonly<Record<string, string>>;
  readonly stream: 'stdout' | 'stderr' | undefined;
};

/** Condition for dropping or keeping a record; all given parts must hold. */
export type Condition = {
  /** RE2, searched in the field or, without one, in the record as written. */
  readonly pattern: string | undefined;
  readonly field: FieldPath | undefined;
  /** Any of these. */
  readonly severities: readonly Severity[] | undefined;
  /** All of these must hold; they do not nest. */
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
  /** The field that is parsed; undefined: the text of a record that is not an object. */
  readonly field: FieldPath | undefined;
  /** `regex`: RE2 with named groups. `json`: RE2 for the text before the object. */
  readonly pattern: string | undefined;
  /** Types of fields that are not strings. */
  readonly types: Readonly<Record<string, ValueType>>;
  /** Keeps the parsed field next to the fields it was parsed into. */
  readonly keepField: boolean;
};

export const severityMapNames = ['pino', 'bunyan', 'log4j', 'syslog', 'python'] as const;
export type SeverityMapName = (typeof severityMapNames)[number];

export type SeverityAction = {
  readonly from: FieldPath;
  /** undefined: names and numbers of Cloud Logging and of common log libraries. */
  readonly map: SeverityMapName | Readonly<Record<string, Severity>> | undefined;
};

export type TimeAction = {
  readonly from: FieldPath;
  /** A name of `timeFormats`, or one with `%`. */
  readonly format: string;
  /** Minutes east of UTC, for times without a zone. */
  readonly offsetMinutes: number;
};

export const timeFormats = ['rfc3339', 'unix', 'unix_ms', 'unix_us', 'unix_ns'] as const;

export type RedactAction = {
  readonly pattern: string;
  /** `$1`, `${name}` and `$&` refer to the pattern's groups. */
  readonly with: string;
};

/** The actions of a rule, in the order in which they run. */
export type RecordSteps = {
  readonly stream?: 'stdout' | 'stderr';
  readonly drop?: readonly Condition[];
  readonly keep?: readonly Condition[];
  /** The first that matches is used. */
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
  /** Labels of the entry, if the rule is limited to one stream of the container. */
  readonly labels?: Readonly<Record<string, string>>;
};

/** A label's value: a text, or the value of a label or annotation of the pod. */
export type LabelSource =
  | { readonly value: string }
  | { readonly podLabel: string; readonly default?: string }
  | { readonly annotation: string; readonly default?: string };

/** Settings that all entries of a container share. */
export type TemplateSettings = {
  readonly labels?: Readonly<Record<string, LabelSource>>;
  readonly project?: string;
  /** The log's id, not escaped. */
  readonly logName?: string;
  /** Labels of the monitored resource. */
  readonly resource?: Readonly<Record<string, string>>;
};

export type Rule = {
  /** As given, or its number in the list, from 1. */
  readonly name: string;
  readonly match: RuleMatch;
  /** RE2: each matching line begins a record. */
  readonly firstLine?: string;
  readonly steps: RecordSteps;
  readonly template: TemplateSettings;
};
