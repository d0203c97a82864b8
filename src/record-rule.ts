// `glob=pattern` and `glob:SEVERITY=share`: what is hidden in the records of a container, and which
// of them are left out.

import { limits } from './config.ts';
import { globText, parseGlob, type ContainerGlob } from './container-glob.ts';
import { severityNames } from './log-severity.ts';

export const redactionText = `GLOB=PATTERN, a regular expression of RE2; GLOB is ${globText}`;
export const sampleText = `GLOB:SEVERITY=SHARE from 0 to 1, such as shop/*/app:DEBUG=0.1; GLOB is ${globText}`;

export type Redaction = { readonly glob: ContainerGlob; readonly pattern: string };

/** The share of the records of one severity that are shipped. */
export type SeverityShare = {
  /** As in `severityNames`. */
  readonly severity: number;
  readonly share: number;
};

/** Throws a RangeError that says what is allowed. The pattern is not checked. */
export function parseRedaction(text: string): Redaction {
  const equals = text.indexOf('=');
  const pattern = text.slice(equals + 1);
  if (equals === -1 || pattern === '' || pattern.length > limits.redactPatternCharactersMax) {
    throw new RangeError(redactionText);
  }
  return { glob: parseGlob(text.slice(0, equals).trim()), pattern };
}

/** Throws a RangeError that says what is allowed. */
export function parseSample(text: string): SeverityShare & { readonly glob: ContainerGlob } {
  const colon = text.indexOf(':');
  const share = parseShare(text.slice(colon + 1));
  if (colon === -1 || share === undefined) throw new RangeError(sampleText);
  return { glob: parseGlob(text.slice(0, colon)), ...share };
}

/** `SEVERITY=SHARE`; undefined when it is anything else. */
export function parseShare(text: string): SeverityShare | undefined {
  const [, name = '', number] = /^([A-Za-z]+)=([01]|[01]?\.\d{1,9})$/.exec(text) ?? [];
  const severity = severityNames.findIndex((known) => known === name.toUpperCase());
  const share = Number(number);
  return severity >= 0 && share <= 1 ? { severity, share } : undefined;
}
