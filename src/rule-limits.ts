// The limits of the rules: what a configuration may hold, and what a record may cost.

/** Part of `limits` in config.ts. */
export const ruleLimits = {
  rulesMax: 256,
  /** Items of one list or map of a rule. */
  ruleListMax: 256,
  rulePatternCharactersMax: 4_000,
  /** Instructions that all patterns compile to. */
  rulesStepsMax: 50_000,
  /** Nested fields that a path names. */
  rulePathPartsMax: 16,
  /** A value that is set, as JSON. */
  ruleValueCharactersMax: 4_096,
  ruleReplacementCharactersMax: 256,
  ruleLabelCharactersMax: 1_024,
  /** Beside those of the pod and the node: the API takes 64 an entry. */
  ruleLabelsMax: 15,
  ruleTimeFormatCharactersMax: 128,
  /** A longer text is not parsed, and counts as a miss: groups take many times a search. */
  ruleParseCharactersMax: 64 * 1_024,
  /** Bytes of a line in which the pattern of first lines is looked for. */
  firstLineBytesMax: 4_096,
  /** Fields that one parse finds. */
  ruleFieldsMax: 512,
  /** Places where the JSON object after a prefix may begin. */
  ruleBracesTriedMax: 8,
  /** Lists of rules that an encoder keeps compiled. */
  ruleListsKept: 64,
} as const;
