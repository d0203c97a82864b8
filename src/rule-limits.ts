// Limits of the rules: the size of a configuration, and the cost of a record.

/** Part of `limits` in config.ts. */
export const ruleLimits = {
  rulesMax: 256,
  /** Items of one list or map of a rule. */
  ruleListMax: 256,
  rulePatternCharactersMax: 4_000,
  /** Instructions of all compiled patterns together. */
  rulesStepsMax: 50_000,
  /** Depth of a field path. */
  rulePathPartsMax: 16,
  /** A value for `set`, as JSON. */
  ruleValueCharactersMax: 4_096,
  ruleReplacementCharactersMax: 256,
  ruleLabelCharactersMax: 1_024,
  /** In addition to those of the pod and the node: the API allows 64 per entry. */
  ruleLabelsMax: 15,
  ruleTimeFormatCharactersMax: 128,
  /** A longer text is not parsed and counts as a miss: groups cost many times a search. */
  ruleParseCharactersMax: 64 * 1_024,
  /** Bytes of a line in which the pattern of first lines is looked for. */
  firstLineBytesMax: 4_096,
  /** Fields that one parse can yield. */
  ruleFieldsMax: 512,
  /** Places where the JSON object after a prefix may begin. */
  ruleBracesTriedMax: 8,
  /** Lists of rules that an encoder keeps compiled. */
  ruleListsKept: 64,
} as const;
