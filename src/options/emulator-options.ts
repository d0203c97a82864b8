// The options of the emulator, as rows of the table in options.ts, which spreads them in.

import { GiB, MiB } from '../byte-units.ts';
import type { OptionRow } from './option-row.ts';

export const emulatorOptions = {
  // ── emulator
  port: {
    kind: 'count',
    default: 8085,
    max: 65_535,
    commands: ['emulator', 'demo'],
    help: 'Port of the emulator on 127.0.0.1; 0 takes any free one.',
  },
  data: {
    kind: 'path',
    commands: ['emulator', 'demo'],
    help: 'SQLite file that keeps the entries of the emulator; memory otherwise.',
  },
  memoryBytes: {
    kind: 'bytes',
    default: 4 * GiB,
    min: 16 * MiB,
    max: 1_024 * GiB,
    commands: ['emulator', 'demo'],
    help: 'Memory for the entries of the emulator; past it the oldest are dropped, counted and no longer shown.',
  },
  faults: {
    kind: 'path',
    commands: ['emulator'],
    help: 'JSON file of the faults to begin with, as in PUT /emulator/faults.',
  },
} as const satisfies Record<string, OptionRow>;
