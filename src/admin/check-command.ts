// `tailship check`: says what is wrong before the agent runs, one line per check, and where each
// option came from. Called by cli.ts. The exit code is 1 when a check fails.

import type { LoadedConfig } from '../options/config-loader.ts';
import { configKeys, flagOf, rowOf } from '../options/config-loader.ts';
import type { Control } from '../control.ts';
import { valueText } from '../options/option-value.ts';
import type { ConfigKey } from '../options/options.ts';
import { printable } from '../printable.ts';
import { checkPressure, linuxPressurePlaces } from './cgroup-checks.ts';
import { checkEndpoint, type EndpointProbes } from './endpoint-checks.ts';
import { type Finding, warn } from './finding.ts';
import { checkHost, linuxLimitFiles } from './host-checks.ts';

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
    ...checkPressure(loaded, linuxPressurePlaces),
    ...(await checkEndpoint(config, probes)),
  ];
  const isFailed = findings.some(({ level }) => level === 'fail');
  if (config.json) {
    control.write(JSON.stringify({ ok: !isFailed, findings, options: optionsTold(loaded) }));
  } else {
    for (const line of checkLines(loaded, findings)) control.write(printable(line));
  }
  return isFailed ? 1 : 0;
}

type ToldOption = { readonly value: string; readonly origin: string };

function optionsTold({ config, origins }: LoadedConfig): Record<string, ToldOption> {
  const told: Record<string, ToldOption> = {};
  for (const key of runKeys()) {
    told[key] = { value: toldValue(key, config[key]), origin: origins[key] };
  }
  return told;
}

function runKeys(): ConfigKey[] {
  return configKeys.filter((key) => rowOf(key).commands.includes('run') && key !== 'once');
}

function toldValue(key: ConfigKey, value: Parameters<typeof valueText>[0]): string {
  if (key === 'adminAddress' && value === undefined) return 'off';
  // A proxy's password must not end in a terminal's scroll-back or a ticket.
  return valueText(value).replace(/^(https?:\/\/)[^/@]*@/, '$1***@');
}

function checkLines(loaded: LoadedConfig, findings: readonly Finding[]): string[] {
  const lines = ['Options:'];
  const told = Object.entries(optionsTold(loaded)) as [ConfigKey, ToldOption][];
  const width = Math.max(...told.map(([key]) => flagOf(key).length));
  for (const [key, { value, origin }] of told) {
    const from = origin === 'default' ? '' : `  (${origin})`;
    lines.push(`  ${flagOf(key).padEnd(width)}  ${value}${from}`);
  }
  lines.push('', 'Checks:');
  const nameWidth = Math.max(...findings.map(({ name }) => name.length));
  for (const { level, name, text, advice } of findings) {
    lines.push(`  ${level.padEnd(4)}  ${name.padEnd(nameWidth)}  ${text}`);
    if (advice !== undefined) lines.push(`        ${' '.repeat(nameWidth)}  → ${advice}`);
  }
  const failed = findings.filter(({ level }) => level === 'fail').length;
  lines.push(
    '',
    failed === 0 ? 'tailship can run.' : `${failed} of ${findings.length} checks failed.`,
  );
  return lines;
}
