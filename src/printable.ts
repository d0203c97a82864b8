// Text for a terminal.

import { styleText } from 'node:util';

export type Style = Parameters<typeof styleText>[0];

export function styled(style: Style, text: string): string {
  return styleText(style, text, { validateStream: false });
}

/** The text without control characters, so that a name cannot move the cursor or hide a line. */
export function printable(text: string): string {
  // oxlint-disable-next-line no-control-regex -- Control characters are what this is about.
  return text.replaceAll(/[\u0000-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]/g, '?');
}
