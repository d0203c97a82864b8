// Reads single keys from a terminal, also through `kubectl exec -it`.
//
// Invariant: close() restores the terminal.

import { emitKeypressEvents, type Key } from 'node:readline';
import type { ReadStream } from 'node:tty';

export type Keyboard = { readonly close: () => void };

/** Calls `onKey` with the character typed, or the key's name: `up`, `return`, `ctrl-c`. */
export function openKeyboard(input: ReadStream, onKey: (key: string) => void): Keyboard {
  emitKeypressEvents(input);
  const listener = (text: string | undefined, { ctrl, name }: Key): void => {
    if (ctrl === true) onKey(`ctrl-${name ?? ''}`);
    else onKey(text !== undefined && /^[\x20-\x7e]$/.test(text) ? text : (name ?? ''));
  };
  const wasRaw = input.isRaw;
  input.setRawMode(true);
  input.on('keypress', listener);
  input.resume();
  return {
    close: () => {
      input.off('keypress', listener);
      input.setRawMode(wasRaw);
      input.pause();
    },
  };
}
