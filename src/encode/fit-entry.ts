import type { EncodeContext, Entry } from './entry.ts';
export function fitEntry(entry: Entry, source: { text: string; insertId: string; context: EncodeContext }): Entry[] {
  void source;
  return [entry];
}
