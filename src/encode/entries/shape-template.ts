// What rules make of the template of a container: labels, resource, project and log name, written
// once, so that they cost nothing per line.

import { limits } from '../../config.ts';
import type { TemplateChange } from '../../rules/resolve-rules.ts';
import {
  logNameMember,
  resourceMember,
  storedTemplate,
  type EntryTemplate,
  type Stream,
} from './entry-template.ts';
import { labelOf, readLabels } from './labels.ts';

/** `project` is the node's. Labels of rules win over those of the pod. */
export function shapeTemplate(
  base: EntryTemplate,
  project: string,
  change: TemplateChange | undefined,
): EntryTemplate {
  if (change === undefined) return base;
  const projectOf = (stream: Stream) => change.project[stream] ?? project;
  const logNameOf = (stream: Stream) => {
    const isUsual = projectOf(stream) === project && change.logName[stream] === undefined;
    if (isUsual) return base.logName[stream];
    return logNameMember(projectOf(stream), change.logName[stream] ?? logIdOf(base, stream));
  };
  const logName = { stdout: logNameOf('stdout'), stderr: logNameOf('stderr') };
  return {
    ...base,
    resource: shapeResource(base, change),
    labels: joinTemplateLabels(base.labels, change),
    logName,
    ...(projectOf('stdout') !== project && { project: projectOf('stdout') }),
  };
}

/** A node file's log has its own name; those of a container are its streams. */
function logIdOf({ logName }: EntryTemplate, stream: Stream): string {
  const [, id] = /\/logs\/([^"]+)",$/.exec(logName[stream]) ?? [];
  return id === undefined ? stream : decodeURIComponent(id);
}

function shapeResource(base: EntryTemplate, change: TemplateChange): string {
  if (Object.keys(change.resource).length === 0) return base.resource;
  const resource = JSON.parse(storedTemplate(base).resource) as { labels: object };
  return resourceMember({ ...resource, labels: { ...resource.labels, ...change.resource } });
}

function joinTemplateLabels(members: string, change: TemplateChange): string {
  const own = Object.entries(change.labels).map(([key, value]) => labelOf(key, value));
  const { labels } = readLabels(`{${members}}`, limits.labelsMax);
  const kept = labels.filter(({ key }) => !Object.hasOwn(change.labels, key));
  return [...kept, ...own].map(({ text }) => text).join(',');
}
