// Placeholder of the readers: filled in next.
import type { EntryStore } from './entry-store.ts';

export function listEntries(_store: EntryStore, _body: Buffer): object {
  return {};
}

export function listLogs(_store: EntryStore, _where: { parent: string; query: URLSearchParams }): object {
  return {};
}
