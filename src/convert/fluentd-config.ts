// Converts fluentd's sources and matches to options; filters are in fluentd-filters.ts.

import type { Draft } from './draft.ts';
import { EventRoutes, type Taking } from './event-routes.ts';
import { addFluentdFilter } from './fluentd-filters.ts';
import { takeStackdriver } from './stackdriver-output.ts';
import { directivesOf, sectionsOf, typeOf, valueOf, type Section } from './section.ts';
import {
  ContainerTails,
  excludeRoute,
  takeOtherOutput,
  takeJournal,
  takeFlush,
  takeLogLevel,
  takeTail,
  type InputTaking,
} from './tail-input.ts';

export function takeFluentd(root: Section, draft: Draft): void {
  const routes = new EventRoutes();
  const tails = new ContainerTails();
  const flat = flatten(root);
  for (const section of flat) {
    const type = typeOf(section);
    if (section.name === 'source') takeSource(section, type, { draft, routes, tails });
    const prefix = valueOf(section, 'remove_tag_prefix');
    if (section.name === 'match' && prefix !== undefined) routes.removePrefix(prefix);
    if (/^(?:record_reformer|rewrite_tag_filter|concat)$/.test(type)) routes.retag();
  }
  tails.finish(draft);
  const hasCloud = flat.some((section) => typeOf(section) === 'google_cloud');
  for (const section of flat) {
    const type = typeOf(section);
    if (section.name === 'filter') addFluentdFilter(section, type, { draft, routes });
    else if (section.name === 'match') takeMatch(section, type, { draft, routes, hasCloud });
    else if (section.name === 'system') takeSystem(section, draft);
    else if (section.name !== 'source') {
      draft.note('none', section, `<${section.name}>`, 'has no equivalent');
    }
  }
}

/** The sections that events pass, without the labels and workers around them. */
function flatten(section: Section): Section[] {
  return section.sections.flatMap((each) => {
    const isAround = each.name === 'label' || each.name === 'worker';
    if (isAround) return flatten(each);
    const type = typeOf(each);
    const isCopy = each.name === 'match' && /^(?:copy|roundrobin)$/.test(type);
    if (!isCopy) return [each];
    return sectionsOf(each, 'store').map((store) => ({
      ...store,
      name: 'match',
      argument: each.argument,
    }));
  });
}

function takeSource(source: Section, type: string, taking: InputTaking): void {
  const { draft, routes } = taking;
  const subject = `source ${type}`;
  const tag = valueOf(source, 'tag');
  if (type === 'tail') {
    const keys = { subject, tag: tag ?? '*', positions: 'pos_file', exclude: 'exclude_path' };
    takeTail(source, keys, taking);
    return;
  }
  routes.addSource(tag || 'system', undefined);
  if (/^(?:prometheus|monitor_agent)/.test(type)) {
    draft.note('changed', source, subject, 'metrics are at /metrics of --admin-address');
  } else if (type.startsWith('systemd')) takeJournal(source, subject, draft);
  else draft.note('none', source, subject, 'only container logs are read');
}

function takeSystem(section: Section, draft: Draft): void {
  const level = directivesOf(section, 'log_level')[0];
  if (level !== undefined) takeLogLevel(level, draft);
  draft.note('changed', section, '<system>', 'workers and buffers are not needed');
}

/** Plugins that forward events; tailship does not need them. */
const passing = new Set(['relabel', 'route', 'label', 'rewrite_tag_filter', 'record_reformer']);

type MatchTaking = Taking & { readonly hasCloud: boolean };

function takeMatch(match: Section, type: string, { draft, routes, hasCloud }: MatchTaking): void {
  const subject = `match ${match.argument} ${type}`.trim();
  if (type === 'google_cloud') {
    const route = routes.of(match.argument);
    if ('reason' in route) draft.note('none', match, subject, route.reason);
    else takeStackdriver(match, { draft, subject, globs: route.globs });
  } else if (type === 'detect_exceptions') {
    draft.setOption('joinStackTraces', true, match, subject);
    const flush = directivesOf(match, 'multiline_flush_interval')[0];
    if (flush !== undefined) takeFlush(flush, draft);
  } else if (type.startsWith('prometheus')) {
    draft.note('changed', match, subject, 'metrics are at /metrics of --admin-address');
  } else if (type === 'null') takeNull(match, subject, { draft, routes });
  else if (passing.has(type)) {
    const isForm = type === 'record_reformer';
    if (isForm) addFluentdFilter(match, 'record_transformer', { draft, routes });
    else draft.note('changed', match, subject, 'events are not routed; all are shipped');
  } else takeOtherOutput(match, { draft, subject, isStdout: type === 'stdout', hasCloud });
}

function takeNull(match: Section, subject: string, { draft, routes }: Taking): void {
  const isOwn = /^(?:fluent(?:d)?\.|\*\*fluent)/.test(match.argument);
  const route = isOwn ? { reason: 'the own log of fluentd' } : routes.of(match.argument);
  if ('reason' in route) draft.note('taken', match, subject, route.reason);
  else if (route.globs === undefined) {
    draft.note('none', match, subject, 'it would drop the logs of all containers');
  } else excludeRoute(route, { draft, place: match, subject });
}
