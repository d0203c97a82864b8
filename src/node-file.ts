// `NAME=GLOB[:format]`: log files of the node itself, and the log that their lines go to.

import { isAbsolute } from 'node:path';

/** How the lines of a node file are written. */
const nodeFileFormats = ['text', 'json', 'glog', 'syslog'] as const;
type NodeFileFormat = (typeof nodeFileFormats)[number];

export type NodeFile = {
  /** Id of the log. */
  readonly logName: string;
  readonly format: NodeFileFormat;
  /** Whose log it is; undefined: the node's. */
  readonly pod?: { readonly namespace: string; readonly pod: string };
};

/** In the place of a namespace, for globs of containers: no namespace begins like this. */
export const nodeNamespace = '_node';

export const nodeFileText = `NAME=GLOB[:FORMAT], such as audit=/var/log/audit/audit.log:text; FORMAT is ${nodeFileFormats.join(', ')}`;

/** Those that GKE's own agent ships. */
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
