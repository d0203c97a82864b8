// `tailship top`: a live table of the workloads of a running agent, from its /api/status. An agent
// that goes away is polled until it is back, because people watch rollouts.

import type { ReadStream } from 'node:tty';
import type { Config } from '../options/options.ts';
import type { Control } from '../control.ts';
import { AgentError } from '../errors.ts';
import { reasonOf } from './finding.ts';
import { openKeyboard } from './keyboard.ts';
import { valueText } from '../options/option-value.ts';
import { printable, styled, type Style } from '../printable.ts';
import { pause } from '../until-aborted.ts';
import type { AgentStatus } from './admin-source.ts';
import { durationText } from '../number-text.ts';
import { cutLine } from './top-layout.ts';
import {
  compareLooks,
  firstView,
  topColumns,
  topLines,
  topScreen,
  viewed,
  type Look,
  type TopRow,
  type TopTable,
  type TopView,
} from './top-table.ts';

export type TerminalSize = { readonly columns: number; readonly rows: number };

type Surroundings = {
  /** undefined when stdout is no terminal: then whole tables follow each other. */
  readonly terminalSize: () => TerminalSize | undefined;
  /** undefined when stdin is no terminal. */
  readonly terminalInput?: () => ReadStream | undefined;
};

const requestTimeoutMs = 5_000;
/** Between the two looks of `--once`. */
const onceIntervalMs = 1_000;
/** To the alternate screen without a cursor, and back. */
const enterScreen = '\u001b[?1049h\u001b[?25l';
const leaveScreen = '\u001b[?25h\u001b[?1049l';
const toTop = '\u001b[H';
const clearToLineEnd = '\u001b[K';
const clearBelow = '\u001b[J';
const keysLine = '1-9 0 sort   r reverse   / search   ↑↓ scroll   q quit';

/**
 * Draws until `control.signal` or the user ends it, or once; returns the exit code.
 * @throws AgentError ADMIN_UNREACHABLE, CONFIG_INVALID.
 */
export async function runTop(
  config: Config,
  control: Control,
  surroundings: Surroundings,
): Promise<number> {
  const url = statusUrl(config);
  const first = await look(url);
  const isLive = !config.once && !config.json && surroundings.terminalSize() !== undefined;
  if (!isLive) {
    return printTables(config, control, {
      url,
      first,
      columns: surroundings.terminalSize()?.columns,
    });
  }
  const screen = new Screen(control, surroundings.terminalSize);
  try {
    await screen.run(surroundings.terminalInput?.(), (signal) =>
      watch({ url, first, intervalMs: config.intervalMs, signal }, screen),
    );
  } finally {
    screen.close();
  }
  return 0;
}

function statusUrl({ adminAddress }: Config): string {
  if (adminAddress === undefined) {
    throw new AgentError(
      'CONFIG_INVALID',
      '--admin-address is off; top needs the one of the agent',
    );
  }
  // An agent that listens on all addresses is reached at loopback.
  const everywhere: Readonly<Record<string, string>> = { '0.0.0.0': '127.0.0.1', '::': '::1' };
  const host = everywhere[adminAddress.host] ?? adminAddress.host;
  return `http://${valueText({ host, port: adminAddress.port })}/api/status`;
}

/** The status of a running agent. @throws AgentError ADMIN_UNREACHABLE. */
export async function fetchStatus(config: Config): Promise<AgentStatus> {
  return (await look(statusUrl(config))).status;
}

async function look(url: string): Promise<Look> {
  try {
    const response = await fetch(url, { signal: AbortSignal.timeout(requestTimeoutMs) });
    if (!response.ok) throw new Error(`status ${response.status}`);
    return { status: (await response.json()) as AgentStatus, atMs: performance.now() };
  } catch (error) {
    throw new AgentError('ADMIN_UNREACHABLE', `${url}: ${reasonOf(error)}`, { cause: error });
  }
}

type Asked = { readonly url: string; readonly first: Look };

/** Tables one after the other, as text or JSON lines. An agent that is gone is an error. */
async function printTables(
  config: Config,
  control: Control,
  asked: Asked & { readonly columns: number | undefined },
): Promise<number> {
  const { once, json } = config;
  const intervalMs = once ? Math.min(onceIntervalMs, config.intervalMs) : config.intervalMs;
  let before = asked.first;
  while (!control.signal.aborted) {
    await pause(intervalMs, control.signal);
    if (control.signal.aborted) break;
    const now = await look(asked.url);
    const table = compareLooks(before, now);
    if (json) control.write(JSON.stringify(table));
    else for (const line of topLines(table, firstView, asked.columns)) control.write(line);
    if (once) break;
    before = now;
  }
  return 0;
}

type Watched = Asked & { readonly intervalMs: number; readonly signal: AbortSignal };

async function watch({ url, first, intervalMs, signal }: Watched, screen: Screen): Promise<void> {
  let before = first;
  let goneAtMs: number | undefined;
  screen.show(compareLooks(first, first));
  while (!signal.aborted) {
    await pause(intervalMs, signal);
    if (signal.aborted) return;
    try {
      const now = await look(url);
      goneAtMs = undefined;
      screen.show(compareLooks(before, now));
      before = now;
    } catch (error) {
      if (!(error instanceof AgentError)) throw error;
      goneAtMs ??= before.atMs;
      const seconds = (performance.now() - goneAtMs) / 1_000;
      screen.tell(`no answer for ${durationText(seconds)}, asking again: ${error.message}`);
    }
  }
}

/** The terminal, and how the user wants to see the table. */
class Screen {
  readonly #control: Control;
  readonly #size: () => TerminalSize | undefined;
  readonly #quit = new AbortController();
  #closeKeys: (() => void) | undefined;
  #view: TopView = firstView;
  #isSearching = false;
  #table: TopTable | undefined;
  #trouble = '';

  constructor(control: Control, size: () => TerminalSize | undefined) {
    this.#control = control;
    this.#size = size;
    control.write(enterScreen);
  }

  async run(
    input: ReadStream | undefined,
    work: (signal: AbortSignal) => Promise<void>,
  ): Promise<void> {
    if (input !== undefined) this.#closeKeys = openKeyboard(input, (key) => this.press(key)).close;
    await work(AbortSignal.any([this.#control.signal, this.#quit.signal]));
  }

  show(table: TopTable): void {
    this.#table = table;
    this.#trouble = '';
    this.#draw();
  }

  /** Shows a message above the last table. */
  tell(trouble: string): void {
    this.#trouble = printable(trouble);
    this.#draw();
  }

  press(key: string): void {
    if (key === 'ctrl-c') this.#quit.abort();
    else if (this.#isSearching) this.#search(key);
    else if (key === 'q' || key === 'escape') this.#quit.abort();
    else if (key === '/') this.#isSearching = true;
    else this.#view = nextView(this.#view, key, this.#rowCount());
    this.#draw();
  }

  #rowCount(): number {
    return this.#table === undefined ? 0 : viewed(this.#table, this.#view).length;
  }

  #search(key: string): void {
    const { search } = this.#view;
    if (key === 'return' || key === 'escape') this.#isSearching = false;
    const typed = key.length === 1 ? search + key : search;
    const next = key === 'backspace' ? search.slice(0, -1) : typed;
    this.#view = { ...this.#view, search: key === 'escape' ? '' : next, skipped: 0 };
  }

  #draw(): void {
    const size = this.#size();
    if (this.#table === undefined || size === undefined || this.#quit.signal.aborted) return;
    const { search } = this.#view;
    const searchLine = this.#isSearching ? `search: ${search}_` : `search: ${search}`;
    const last = this.#isSearching || search !== '' ? searchLine : keysLine;
    const { headlines, isTroubled, head, rows } = topScreen(this.#table, this.#view, size.columns);
    const style = isTroubled && this.#control.hasColours === true ? boldRed : bold;
    const fit = (line: string): string => cutLine(line, size.columns);
    const drawn = [
      ...headlines.map((line) => styled(style, line)),
      this.#trouble === '' ? '' : styled(style, fit(this.#trouble)),
      styled(inverse, fit(head).padEnd(size.columns)),
      ...rows.map((row) => this.#drawRow(row, size.columns)),
    ].slice(0, Math.max(1, size.rows - 2));
    drawn.push(styled(dim, fit(last)));
    this.#control.write(toTop + drawn.map((line) => line + clearToLineEnd).join('\n') + clearBelow);
  }

  #drawRow({ text, alarms }: TopRow, columns: number): string {
    let drawn = cutLine(text, columns);
    if (this.#control.hasColours !== true) return drawn;
    // From the right, so that earlier ranges stay in place.
    for (const [start, end] of alarms.toReversed()) {
      if (end > columns) continue;
      drawn = drawn.slice(0, start) + styled(boldRed, text.slice(start, end)) + drawn.slice(end);
    }
    return drawn;
  }

  close(): void {
    this.#closeKeys?.();
    this.#control.write(leaveScreen);
  }
}

const bold: Style = 'bold';
const boldRed: Style = ['bold', 'red'];
const dim: Style = 'dim';
const inverse: Style = 'inverse';

/** The view after a key outside a search. */
export function nextView(view: TopView, key: string, rowCount: number): TopView {
  const { isAscending, skipped, sortedBy } = view;
  const scroll = (rows: number): TopView => {
    const last = Math.max(0, rowCount - 1);
    return { ...view, skipped: Math.min(last, Math.max(0, skipped + rows)) };
  };
  const sort = (column: number): TopView => {
    const isName = topColumns[column]?.isNumber !== true;
    return { ...view, sortedBy: column, isAscending: isName, skipped: 0 };
  };
  if (/^[0-9]$/.test(key)) {
    const column = (Number(key) + 9) % 10; // 0 is the tenth, as on the keyboard.
    return column === sortedBy ? { ...view, isAscending: !isAscending } : sort(column);
  }
  if (key === 'r') return { ...view, isAscending: !isAscending };
  if (key === 'right') return sort((sortedBy + 1) % topColumns.length);
  if (key === 'left') return sort((sortedBy + topColumns.length - 1) % topColumns.length);
  const steps: Readonly<Record<string, number>> = { down: 1, j: 1, up: -1, k: -1 };
  const pages: Readonly<Record<string, number>> = { pagedown: 10, pageup: -10, home: -rowCount };
  return scroll(steps[key] ?? pages[key] ?? 0);
}
