// The checks that ask other machines: identity, credentials, permission, clock. The dry run is
// injected, because only the wiring knows the ship stage.

import { readFileSync } from 'node:fs';
import type { DryRunAnswer } from '../dry-run-answer.ts';
import type { Config } from '../options/options.ts';
import { AgentError, type ErrorCode, errorTable } from '../errors.ts';
import type { NodeIdentity } from '../host/node-identity.ts';
import type { Rule } from '../rules/rule.ts';
import { isLoopback } from '../plain-http.ts';
import { durationText } from '../number-text.ts';
import { fail, type Finding, ok, reasonOf, warn } from './finding.ts';

/** The parts of other stages that the checks need. */
export type EndpointProbes = {
  readonly findNodeIdentity: (config: Config) => Promise<NodeIdentity>;
  readonly sendDryRun: (config: Config, project: string) => Promise<DryRunAnswer>;
};

/** The Date header has whole seconds, so a smaller difference cannot be seen. */
const clockWarnMs = 5_000;
/** Google refuses signed token requests when the clock is off by more. */
const clockFailMs = 300_000;

/** Sends one request for each project to the endpoint, if it is used. */
export async function checkEndpoint(config: Config, probes: EndpointProbes): Promise<Finding[]> {
  if (!config.output.includes('endpoint')) {
    return [ok('output', `${config.output.join(' and ')}; no endpoint is asked`)];
  }
  const findings = [checkCredentialsFile(config), checkPlainText(config)].flat();
  let identity: NodeIdentity;
  try {
    identity = await probes.findNodeIdentity(config);
  } catch (error) {
    return [...findings, failure('identity', error, 'METADATA_UNAVAILABLE')];
  }
  findings.push(checkIdentity(identity));
  findings.push(...(await checkProject(config, identity.project, probes)));
  for (const project of projectsOf(config)) {
    if (project === identity.project) continue;
    const ofProject = await checkProject(config, project, probes);
    findings.push(...ofProject.filter(({ name }) => name !== 'clock').map(namedAfter(project)));
  }
  return findings;
}

async function checkProject(
  config: Config,
  project: string,
  probes: EndpointProbes,
): Promise<Finding[]> {
  try {
    const answer = await probes.sendDryRun(config, project);
    return [judgeAnswer(config, answer), ...judgeClock(answer)];
  } catch (error) {
    return [failure('dry run', error, 'SHIP_UNREACHABLE', config.endpoint)];
  }
}

/** The projects that rules name. */
function projectsOf({ rules = '[]' }: Config): Set<string> {
  const named = (JSON.parse(rules) as readonly Rule[]).map(({ template }) => template.project);
  return new Set(named.filter((project) => project !== undefined));
}

function namedAfter(project: string): (finding: Finding) => Finding {
  return (finding) => ({ ...finding, name: `${finding.name}, ${project}` });
}

function failure(name: string, error: unknown, otherwise: ErrorCode, where = ''): Finding {
  const code = error instanceof AgentError ? error.code : otherwise;
  const text = error instanceof AgentError ? error.message : reasonOf(error);
  return fail(name, `${code}: ${where === '' ? '' : `${where}: `}${text}`, errorTable[code].advice);
}

function checkIdentity({ project, location, cluster, node }: NodeIdentity): Finding {
  const text = `project ${project}, cluster ${cluster}, location ${location}, node ${node}`;
  const missing = Object.entries({ cluster, location, node }).filter(([, value]) => value === '');
  if (missing.length === 0) return ok('identity', text);
  const names = missing.map(([name]) => `--${name}`).join(', ');
  return warn('identity', text, `Give ${names}: entries are found by these labels.`);
}

function checkCredentialsFile({ credentialsFile }: Config): Finding[] {
  if (credentialsFile === undefined) return [];
  const name = 'credentials';
  try {
    const { type, client_email: email } = parseKey(readFileSync(credentialsFile, 'utf8'));
    if (typeof type !== 'string') throw new Error('it has no "type"');
    const owner = typeof email === 'string' ? ` of ${email}` : '';
    return [ok(name, `${credentialsFile} is a ${type}${owner}`)];
  } catch (error) {
    const { advice } = errorTable.CREDENTIALS_MISSING;
    return [fail(name, `${credentialsFile}: ${reasonOf(error)}`, advice)];
  }
}

/** JSON.parse's own error would quote the key. */
function parseKey(text: string): { readonly type?: unknown; readonly client_email?: unknown } {
  let key: unknown;
  try {
    key = JSON.parse(text);
  } catch {
    throw new Error('it is no JSON');
  }
  if (typeof key !== 'object' || key === null) throw new Error('it holds no JSON object');
  return key;
}

function checkPlainText({ endpoint }: Config): Finding[] {
  const url = new URL(endpoint);
  if (url.protocol === 'https:' || isLoopback(url)) return [];
  const advice = 'Use https: the token and all logs can be read on the way.';
  return [warn('endpoint', `${endpoint} is not encrypted`, advice)];
}

function judgeAnswer(config: Config, answer: DryRunAnswer): Finding {
  const { status, text, elapsedMs, problem } = answer;
  const name = 'dry run';
  if (problem === undefined) {
    return ok(name, `${config.endpoint} accepts entries, ${Math.round(elapsedMs)} ms`);
  }
  const { code } = problem;
  const advice =
    code === 'SHIP_REJECTED'
      ? 'Check --endpoint and --project: this is not an answer that Cloud Logging gives to a right request.'
      : errorTable[code].advice;
  const reason = apiText(text) ?? problem.text;
  return fail(name, `${code}: ${config.endpoint} answered ${status}: ${reason}`, advice);
}

/** The message of Google's JSON error, or else the beginning of the answer. */
function apiText(text: string): string | undefined {
  try {
    const { error } = JSON.parse(text) as { error?: { message?: unknown } };
    if (typeof error?.message === 'string') return error.message;
  } catch {
    // The page of a proxy, or a truncated answer: shown as it is.
  }
  const start = text.replaceAll(/\s+/g, ' ').trim().slice(0, 200);
  return start === '' ? undefined : start;
}

function judgeClock({ serverTimeMs, localTimeMs }: DryRunAnswer): Finding[] {
  if (serverTimeMs === undefined) return [];
  const offsetMs = localTimeMs - serverTimeMs;
  const apart = Math.abs(offsetMs);
  const text = `this clock is ${durationText(apart / 1000)} ${offsetMs < 0 ? 'behind' : 'ahead of'} the server's`;
  const advice = 'Let chrony or systemd-timesyncd keep the clock of the node.';
  if (apart > clockFailMs) return [fail('clock', text, advice)];
  if (apart > clockWarnMs) return [warn('clock', text, advice)];
  return [ok('clock', text)];
}
