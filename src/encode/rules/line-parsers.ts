// Parses the lines of well-known programs: access logs of nginx and Apache, klog, syslog.
//
// Invariant: linear in the text, whatever a tenant writes: in each expression no two adjacent
// repetitions can match the same characters.

import { severityOfPriority } from '../../log-severity.ts';
import type { Members } from './rule-payload.ts';
import { parseKlog } from '../entries/klog.ts';
import { readTime } from './time-format.ts';

const accessTime = { from: '', format: '%d/%b/%Y:%H:%M:%S %z', offsetMinutes: 0 };

/** `%h %l %u [%t] "%r" %>s %b`, and what may follow: referer, agent, more. */
const access =
  /^([^ ]+) ([^ ]+) ([^[ ][^[]*) \[([^\]]{1,64})\] "((?:[^"\\]|\\.)*)" (\d{3}|-) (\d+|-)(?: "((?:[^"\\]|\\.)*)" "((?:[^"\\]|\\.)*)"(?: "((?:[^"\\]|\\.)*)")?)?(?= |$)/;
const request = /^([^ ]+) ([^ ]+)(?: ([^ ]+))?$/;

function put(members: Members, name: string, value: string | undefined): void {
  if (value !== undefined && value !== '') members.set(name, JSON.stringify(value));
}

/** As `put`, but a dash counts as missing. Not for an object of values: that costs 40 % more. */
function putUnlessDash(members: Members, name: string, value: string | undefined): void {
  if (value !== '-') put(members, name, value);
}

/** Access logs, common or combined, of nginx and Apache, which name the client differently. */
export function parseAccess(text: string, hostName: 'remote' | 'host'): Members | undefined {
  const match = access.exec(text);
  if (match === null) return undefined;
  const [, host, , user, time = '', line = '', code, size, referer, agent, forwarded] = match;
  const members: Members = new Map();
  put(members, hostName, host);
  putUnlessDash(members, 'user', user);
  put(members, 'time', readTime(time, accessTime, '')?.text ?? time);
  const [, method, target, protocol] = request.exec(line) ?? [undefined, undefined, line];
  put(members, 'method', method);
  put(members, 'path', target);
  put(members, 'protocol', protocol);
  putUnlessDash(members, 'code', code);
  putUnlessDash(members, 'size', size);
  putUnlessDash(members, 'referer', referer);
  putUnlessDash(members, 'agent', agent);
  putUnlessDash(members, 'http_x_forwarded_for', forwarded);
  return members;
}

/** The same fields that the agent extracts from a klog line without a rule. */
export function parseKlogLine(text: string): Members | undefined {
  const klog = parseKlog(text);
  if (klog === undefined) return undefined;
  const location = `{"file":${JSON.stringify(klog.file)},"line":"${klog.line}"}`;
  return new Map([
    ['severity', `"${klog.severity}"`],
    ['pid', `"${klog.pid}"`],
    ['message', JSON.stringify(klog.message)],
    ['logging.googleapis.com/sourceLocation', location],
  ]);
}

const rfc5424 = /^<(\d{1,3})>1 ([^ ]+) ([^ ]+) ([^ ]+) ([^ ]+) ([^ ]+) /;
const structured = /-|(?:\[(?:[^\]"\\]|"(?:[^"\\]|\\.)*")*\])+/y;
const rfc3164 =
  /^(?:<(\d{1,3})>)?([A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d) ([^ ]+) ([^ :[\]]+)(?:\[([^\] ]*)\])?:? ?/;

function parseRfc5424(text: string): Members | undefined {
  const match = rfc5424.exec(text);
  if (match === null) return undefined;
  const [header, priority, time = '', host, ident, pid, msgid] = match;
  structured.lastIndex = header.length;
  const extra = structured.exec(text)?.[0];
  if (extra === undefined) return undefined;
  const end = structured.lastIndex;
  if (end < text.length && text[end] !== ' ') return undefined;
  const members: Members = new Map();
  putPriority(members, priority);
  putUnlessDash(members, 'time', time);
  putUnlessDash(members, 'host', host);
  putUnlessDash(members, 'ident', ident);
  putUnlessDash(members, 'pid', pid);
  putUnlessDash(members, 'msgid', msgid);
  putUnlessDash(members, 'extradata', extra);
  members.set('message', JSON.stringify(text.slice(end + 1).replace(/^\ufeff/, '')));
  return members;
}

function putPriority(members: Members, priority: string | undefined): void {
  if (priority === undefined) return;
  members.set('severity', `"${severityOfPriority(Number(priority) & 7)}"`);
  put(members, 'pri', priority);
}

function parseRfc3164(text: string): Members | undefined {
  const match = rfc3164.exec(text);
  if (match === null) return undefined;
  const [header, priority, time, host, ident, pid] = match;
  const members: Members = new Map();
  putPriority(members, priority);
  put(members, 'time', time);
  put(members, 'host', host);
  put(members, 'ident', ident);
  put(members, 'pid', pid);
  members.set('message', JSON.stringify(text.slice(header.length)));
  return members;
}

/** RFC 5424 or RFC 3164; undefined for others. */
export function parseSyslog(text: string): Members | undefined {
  return parseRfc5424(text) ?? parseRfc3164(text);
}
