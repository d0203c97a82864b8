// The page at /: one AgentStatus as a table, rendered on the server. No script, no resource of
// elsewhere; every text that pods can choose is escaped. Called by admin-server.ts.

import type { AgentStatus, Check, WorkloadStatus } from './admin-source.ts';
import { bytesText, countText, durationText } from './number-text.ts';

const refreshSeconds = 2;
/** A page of more rows is of no use to anyone; /api/status has them all. */
const rowsMax = 500;

const style = `
  :root { color-scheme: light dark; font: 14px/1.4 system-ui, sans-serif; }
  body { margin: 1.5rem; }
  table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
  th, td { padding: .2rem .8rem .2rem 0; text-align: left; }
  .number { text-align: right; }
  dl { display: grid; grid-template-columns: max-content max-content; gap: .1rem 1.5rem; }
  dd { margin: 0; text-align: right; font-variant-numeric: tabular-nums; }
  .failed { color: #c5221f; font-weight: 600; }`;

/** The HTML of the page. */
export function statusPage(status: AgentStatus, checks: readonly Check[]): string {
  const busiest = status.workloads.toSorted((left, right) => right.bytes - left.bytes);
  const hidden = busiest.length - rowsMax;
  return `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<meta http-equiv="refresh" content="${refreshSeconds}">
<title>tailship</title>
<style>${style}</style>
<h1>tailship ${escapeHtml(status.version)}</h1>
${checks.map(checkLine).join('\n')}
<dl>${facts(status)}</dl>
<h2>${countText(busiest.length)} containers</h2>
<table>
<tr><th>Namespace<th>Pod<th>Container<th class="number">Lines<th class="number">Bytes<th class="number">Behind<th class="number">Files
${busiest.slice(0, rowsMax).map(workloadRow).join('\n')}
</table>
${hidden > 0 ? `<p>${countText(hidden)} more stand in <a href="/api/status">/api/status</a>.` : ''}
<p><a href="/api/status">/api/status</a> <a href="/metrics">/metrics</a> <a href="/readyz">/readyz</a> <a href="/livez">/livez</a>
</html>
`;
}

function facts(status: AgentStatus): string {
  const pairs: readonly (readonly [string, string])[] = [
    ['Started', status.startedAt],
    ['Lines', countText(status.lines)],
    ['Bytes', bytesText(status.bytes)],
    ['Entries', countText(status.entries)],
    ['Behind', `${bytesText(status.behindBytes)}, ${durationText(status.behindSeconds)}`],
    ['In flight', bytesText(status.inFlightBytes)],
    ['Retries', countText(status.retries)],
    ['Dead letters', countText(sum(status.deadLetteredByReason))],
    ['Dropped lines', countText(sum(status.droppedByReason))],
    ['CPU', durationText(sum(status.cpuSecondsByStage))],
    ['Memory', bytesText(status.rssBytes)],
    ['Positions saved', `${durationText(status.checkpointAgeSeconds)} ago`],
  ];
  return pairs.map(([name, value]) => `<dt>${name}<dd>${escapeHtml(value)}`).join('');
}

function sum(counts: Readonly<Record<string, number>>): number {
  return Object.values(counts).reduce((total, count) => total + count, 0);
}

function checkLine({ name, ok, reason }: Check): string {
  if (ok) return '';
  return `<p class="failed">${escapeHtml(name)}: ${escapeHtml(reason ?? 'failed')}`;
}

function workloadRow(workload: WorkloadStatus): string {
  const { namespace, pod, container, lines, bytes, behindBytes, files } = workload;
  const names = [namespace, pod, container].map((name) => `<td>${escapeHtml(name)}`);
  const numbers = [countText(lines), bytesText(bytes), bytesText(behindBytes), files.length];
  return `<tr>${names.join('')}${numbers.map((text) => `<td class="number">${text}`).join('')}`;
}

const htmlEscapes: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};

function escapeHtml(text: string): string {
  return text.replaceAll(/[&<>"']/g, (character) => htmlEscapes[character] ?? '');
}
