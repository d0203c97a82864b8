// `tailship check`: reports what is wrong before the agent runs, one line per check, failures
// first, and with --verbose the origin of each option. The exit code is 1 when a check fails.

import { type LoadedConfig, configKeys, flagOf, rowOf } from '../options/config-loader.ts';
import type { Control } from '../control.ts';
import { shownValue as optionText, type OptionValue } from '../options/option-value.ts';
import type { ConfigKey } from '../options/options.ts';
import { pluralText } from '../number-text.ts';
import { printable, styled } from '../printable.ts';
import { checkPressure, linuxPressureFiles } from './cgroup-checks.ts';
import { checkEndpoint, type EndpointProbes } from './endpoint-checks.ts';
import { type Finding, warn } from './finding.ts';
import { checkHost, linuxLimitFiles } from './host-checks.ts';
import { checkJournal } from './journal-checks.ts';
import { checkOtherAgents } from './other-agents.ts';

/** Checks, prints, returns the exit code. */
export async function runCheck(
  loaded: LoadedConfig,
  control: Control,
  probes: EndpointProbes,
): Promise<number> {
  const { config, warnings } = loaded;
  const findings = [
    ...warnings.map((text) => warn('environment', text, 'Correct or unset the variable.')),
    ...checkHost(config, linuxLimitFiles),
    ...checkJournal(config),
    ...checkOtherAgents(config, '/', Date.now()),
    ...checkPressure(loaded, linuxPressureFiles),
    ...(await checkEndpoint(config, probes)),
  ];
  const isFailed = findings.some(({ level }) => level === 'fail');
  if (config.json) {
    control.write(JSON.stringify({ ok: !isFailed, findings, options: shownOptions(loaded) }));
  } else {
    const look = { isVerbose: config.verbose, hasColours: control.hasColours === true };
    for (const line of checkLines(loaded, findings, look)) control.write(line);
  }
  return isFailed ? 1 : 0;
}

type ShownOption = { readonly value: string; readonly origin: string };

function shownOptions({ config, origins }: LoadedConfig): Record<string, ShownOption> {
  const shown: Record<string, ShownOption> = {};
  for (const key of runKeys()) {
    shown[key] = { value: shownValue(key, config[key]), origin: origins[key] };
  }
  return shown;
}

function runKeys(): ConfigKey[] {
  return configKeys.filter((key) => rowOf(key).commands.includes('run') && key !== 'once');
}

function shownValue(key: ConfigKey, value: OptionValue): string {
  if (key === 'adminAddress' && value === undefined) return 'off';
  // A proxy's password must not end up in a terminal's scroll-back or a ticket.
  return optionText(rowOf(key), value).replace(/^(https?:\/\/)[^/@]*@/, '$1***@');
}

const levels = ['fail', 'warn', 'ok'] as const;
const colours = { fail: 'red', warn: 'yellow', ok: 'green' } as const;

type Look = { readonly isVerbose: boolean; readonly hasColours: boolean };

function checkLines(
  loaded: LoadedConfig,
  findings: readonly Finding[],
  { isVerbose, hasColours }: Look,
): string[] {
  const lines: string[] = [];
  const width = Math.max(...findings.map(({ name }) => name.length));
  const sorted = findings.toSorted(
    (left, right) => levels.indexOf(left.level) - levels.indexOf(right.level),
  );
  for (const { level, name, text, advice } of sorted) {
    const word = hasColours ? styled(colours[level], level.padEnd(4)) : level.padEnd(4);
    lines.push(`${word}  ${name.padEnd(width)}  ${printable(text)}`);
    if (advice !== undefined) lines.push(`      ${' '.repeat(width)}  → ${printable(advice)}`);
  }
  const failed = findings.filter(({ level }) => level === 'fail').length;
  const verdict =
    failed === 0
      ? 'tailship can run.'
      : `${failed} of ${pluralText(findings.length, 'check')} failed.`;
  lines.push('', hasColours ? styled('bold', verdict) : verdict);
  if (isVerbose) lines.push('', ...optionLines(loaded));
  return lines;
}

function optionLines(loaded: LoadedConfig): string[] {
  const lines = ['Options:'];
  const shown = Object.entries(shownOptions(loaded)) as [ConfigKey, ShownOption][];
  const width = Math.max(...shown.map(([key]) => flagOf(key).length));
  for (const [key, { value, origin }] of shown) {
    const from = origin === 'default' ? '' : `  (${origin})`;
    lines.push(printable(`  ${flagOf(key).padEnd(width)}  ${value}${from}`));
  }
  return lines;
}
