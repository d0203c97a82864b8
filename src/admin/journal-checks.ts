// The checks of the node's journal.

import { closeSync, openSync, readdirSync } from 'node:fs';
import { join } from 'node:path';

import { hasCode } from '../errors.ts';
import { journalFileName } from '../journal/journal-header.ts';
import { pluralText } from '../number-text.ts';
import type { Config } from '../options/options.ts';
import { fail, type Finding, ok, reasonOf, warn } from './finding.ts';

const name = 'journal';
const mountAdvice =
  'Mount /var/log/journal and /run/log/journal read-only, or give --journal-dir; --node-logs off ships none.';
const rightAdvice = 'Give the agent DAC_READ_SEARCH, or run it as a member of systemd-journal.';

/** Whether the journal exists, can be read, and survives a reboot; none where it is off. */
export function checkJournal({ nodeLogs, journalDir }: Config): Finding[] {
  if (nodeLogs === 'off') return [];
  const files = journalDir.map((directory) => listFiles(directory));
  const [first = [], ...others] = files;
  const all = files.flat();
  if (all.length === 0) {
    return [warn(name, `there is no journal in ${journalDir.join(', ')}`, mountAdvice)];
  }
  for (const path of all) {
    try {
      closeSync(openSync(path, 'r'));
    } catch (error) {
      if (hasCode(error, 'ENOENT')) continue; // Deleted since it was listed.
      return [fail(name, `${path}: ${reasonOf(error)}`, rightAdvice)];
    }
  }
  const text = `${pluralText(all.length, 'journal file')} in ${journalDir.join(', ')}`;
  if (first.length === 0 && others.length > 0) {
    const advice = `Make ${journalDir[0]} on the node: journald then keeps its journal over a reboot.`;
    return [warn(name, `${text}; the journal is in memory only`, advice)];
  }
  return [ok(name, text)];
}

/** Journals of the system, in the directory and below. */
function listFiles(directory: string): string[] {
  try {
    return readdirSync(directory, { withFileTypes: true, recursive: true })
      .filter((found) => journalFileName.test(found.name) && !found.isDirectory())
      .map((found) => join(found.parentPath, found.name));
  } catch {
    return [];
  }
}
