// Converts Fluent Bit's service, inputs and outputs to options; filters are in
// fluent-bit-filters.ts.

import type { Draft } from './draft.ts';
import { areAll, EventRoutes, type Taking } from './event-routes.ts';
import { addBitFilter, routeOf } from './fluent-bit-filters.ts';
import { takeMultiline, type Parsers } from './multiline-parsers.ts';
import { directivesOf, isComputed, isOn, sectionsOf, valueOf, type Section } from './section.ts';
import { takeStackdriver } from './stackdriver-output.ts';
import {
  ContainerTails,
  excludeRoute,
  listOf,
  takeJournal,
  takeLogLevel,
  takeOtherOutput,
  takeTail,
  type InputTaking,
} from './tail-input.ts';

export function takeFluentBit(root: Section, draft: Draft): void {
  const routes = new EventRoutes();
  // A section, [SERVICE], includes the files of parsers.
  const all = root.sections.flatMap((section) => [section, ...section.sections]);
  const named = (kind: string): ReadonlyMap<string, Section> => {
    const found = all.filter(({ name }) => name === kind);
    return new Map(found.map((section) => [valueOf(section, 'name') ?? '', section]));
  };
  const parsers: Parsers = { lines: named('PARSER'), multiline: named('MULTILINE_PARSER') };
  const tails = new ContainerTails();
  for (const input of sectionsOf(root, 'INPUT')) {
    takeInput(input, parsers, { draft, routes, tails });
  }
  tails.finish(draft);
  const outputs = sectionsOf(root, 'OUTPUT');
  const hasCloud = outputs.some((each) => /^stackdriver$/i.test(valueOf(each, 'name') ?? ''));
  for (const section of root.sections) {
    if (section.name === 'SERVICE') takeService(section, draft);
    else if (section.name === 'FILTER') addBitFilter(section, parsers, { draft, routes });
    else if (section.name === 'OUTPUT') takeOutput(section, { draft, routes, hasCloud });
    else if (!/^(?:INPUT|(?:MULTILINE_)?PARSER)$/.test(section.name)) {
      draft.note('none', section, `[${section.name}]`, 'has no equivalent');
    }
  }
}

function takeService(service: Section, draft: Draft): void {
  const address = { host: '0.0.0.0', port: '2020', isServed: false };
  for (const directive of service.directives) {
    const { value } = directive;
    const key = directive.key.toLowerCase();
    if (isComputed(value)) draft.note('none', directive, key, `${value} is computed`);
    else if (key === 'flush') {
      const ms = Math.round(Number(value) * 1_000);
      draft.setOption('flushIntervalMs', ms, directive, key);
    } else if (key === 'grace') {
      draft.setOption('graceMs', Math.round(Number(value) * 1_000), directive, key);
    } else if (key === 'log_level') takeLogLevel(directive, draft);
    else if (key === 'http_server') address.isServed = isOn(value);
    else if (key === 'http_listen') address.host = value;
    else if (key === 'http_port') address.port = value;
    else if (key === 'health_check') {
      draft.note('changed', directive, key, '/livez and /readyz of --admin-address');
    } else if (/^(?:storage|scheduler|daemon|parsers_file|coro|dns|hot|hc_|config)/.test(key)) {
      draft.note('changed', directive, key, 'not needed');
    } else draft.note('none', directive, key, value);
  }
  if (!address.isServed) return;
  const { host, port } = address;
  const text = host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
  draft.setOption('adminAddress', text, service, 'HTTP_Server');
}

function takeInput(input: Section, parsers: Parsers, taking: InputTaking): void {
  const { draft, routes } = taking;
  const name = (valueOf(input, 'name') ?? '').toLowerCase();
  const subject = `input ${name}`;
  const tag = valueOf(input, 'tag') ?? name;
  if (name !== 'tail') {
    routes.addSource(tag, undefined);
    if (name === 'systemd') takeJournal(input, subject, draft);
    else draft.note('none', input, subject, 'only container logs are read');
    return;
  }
  const keys = { subject, tag, positions: 'DB', exclude: 'Exclude_Path' };
  const globs = takeTail(input, keys, taking);
  if (globs === undefined) return;
  for (const place of directivesOf(input, 'multiline.parser')) {
    const site = {
      draft,
      place,
      subject: 'multiline.parser',
      globs: areAll(globs) ? undefined : globs,
    };
    for (const each of listOf(place.value)) takeMultiline(each, parsers, site);
  }
  for (const place of directivesOf(input, 'processors', 'Tag_Regex', 'Ignore_Older', 'Key')) {
    draft.note('none', place, place.key, place.value.slice(0, 120));
  }
}

type OutputTaking = Taking & { readonly hasCloud: boolean };

function takeOutput(output: Section, { draft, routes, hasCloud }: OutputTaking): void {
  const name = (valueOf(output, 'name') ?? '').toLowerCase();
  const subject = `output ${name}`;
  const { route } = routeOf(output, routes);
  const isCloud = name === 'stackdriver';
  if ('reason' in route) draft.note('none', output, subject, route.reason);
  else if (isCloud) takeStackdriver(output, { draft, subject, globs: route.globs });
  else if (name === 'null' && route.globs !== undefined) {
    excludeRoute(route, { draft, place: output, subject });
  } else takeOtherOutput(output, { draft, subject, isStdout: name === 'stdout', hasCloud });
}
