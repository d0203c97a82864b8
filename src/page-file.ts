// The files of the two pages, the agent's and the emulator's: read from the disk for each request,
// because there are hardly any, and sent with headers that let a page load nothing from elsewhere.

import { readFile } from 'node:fs/promises';
import { extname } from 'node:path';

export type PageFile = { readonly type: string; readonly body: Buffer };

/** Path below the server → the file. */
export type PageTable = Readonly<Record<string, URL>>;

const types: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
};

/** For answers that are not pages: not cached, and of the declared type only. */
export const plainHeaders = {
  'cache-control': 'no-store',
  'x-content-type-options': 'nosniff',
} as const;

/** Markup that gets into a page can load and run nothing. */
export const pageHeaders = {
  ...plainHeaders,
  'referrer-policy': 'no-referrer',
  'content-security-policy':
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:; " +
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
} as const;

/** The file of a table at this path; undefined when the table has none. */
export async function readPageFile(table: PageTable, path: string): Promise<PageFile | undefined> {
  const file = Object.hasOwn(table, path) ? table[path] : undefined;
  if (file === undefined) return undefined;
  return { type: types[extname(file.pathname)] ?? 'text/plain', body: await readFile(file) };
}

/** Colours and small parts of both pages. */
export const baseStyle = new URL('admin/page/base.css', import.meta.url);
