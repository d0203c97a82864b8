// `NAME=GLOB[:format]`: log files of the node itself, and the log for their lines.

import { isAbsolute } from 'node:path';

/** The format of the lines of a node file. */
const nodeFileFormats = ['text', 'json', 'glog', 'syslog'] as const;
type NodeFileFormat = (typeof nodeFileFormats)[number];

export type NodeFile = {
  readonly logName: string;
  readonly format: NodeFileFormat;
  /** The pod of the log; undefined is the node. */
  readonly pod?: { readonly namespace: string; readonly pod: string };
};

/** In place of a namespace in globs of containers: no namespace begins with `_`. */
export const nodeNamespace = '_node';

export const nodeFileText = `NAME=GLOB[:FORMAT], such as audit=/var/log/audit/audit.log:text; FORMAT is ${nodeFileFormats.join(', ')}`;

/** The files that GKE's own agent ships. */
export const systemNodeFiles: readonly string[] = [
  'startupscript=/var/log/startupscript.log:syslog',
  'policy-action=/var/log/network/policy_action.log:json',
  'kube-proxy=/var/log/kube-proxy.log:glog',
];

/** Throws a RangeError that says what is allowed. */
export function parseNodeFile(
  text: string,
): Pick<NodeFile, 'logName' | 'format'> & { readonly glob: string } {
  const [, logName = '', glob = '', name = 'text'] =
    /^([A-Za-z0-9][A-Za-z0-9_.-]{0,99})=(.+?)(?::([a-z]+))?$/.exec(text) ?? [];
  const format = nodeFileFormats.find((known) => known === name);
  if (format === undefined || !isAbsolute(glob)) throw new RangeError(nodeFileText);
  return { logName, glob, format };
}
