// Keys of a terminal, one by one, without a line end. Made by `tailship top`; the stream comes from
// main.ts. It works through `kubectl exec -it`, whose terminal is one like any other.
//
// Invariant: after close() the terminal is as it was.

import { emitKeypressEvents, type Key } from 'node:readline';
import type { ReadStream } from 'node:tty';

export type Keyboard = { readonly close: () => void };

/**
 * Calls `onKey` with the name of each key (`up`, `return`, `escape`, `ctrl-c`) or with what it
 * types.
 */
export function openKeyboard(input: ReadStream, onKey: (key: string) => void): Keyboard {
  emitKeypressEvents(input);
  const hear = (text: string | undefined, { ctrl, name }: Key): void => {
    if (ctrl === true) onKey(`ctrl-${name ?? ''}`);
    else onKey(text !== undefined && /^[\x20-\x7e]$/.test(text) ? text : (name ?? ''));
  };
  const wasRaw = input.isRaw;
  input.setRawMode(true);
  input.on('keypress', hear);
  input.resume();
  return {
    close: () => {
      input.off('keypress', hear);
      input.setRawMode(wasRaw);
      input.pause();
    },
  };
}
