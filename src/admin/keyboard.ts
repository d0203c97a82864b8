// Keys of a terminal, one by one, without a line end. It works through `kubectl exec -it` as well.
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
