// Which log the entries of a systemd unit go to, as GKE's own agent has it.

import { matchesGlob } from '../../container-glob.ts';
import type { JournalSegment } from '../drain-task.ts';
import { logNameMember, type EntryTemplate } from '../entries/entry-template.ts';

/** The container runtime of a node, whichever it is, has one log. */
const renamed: Readonly<Record<string, string>> = {
  containerd: 'container-runtime',
  crio: 'container-runtime',
};

type Selection = Pick<JournalSegment, 'units' | 'takesOthers' | 'project'>;

/**
 * The template of a unit's entries; undefined when they are not shipped. `unit` is as in
 * `_SYSTEMD_UNIT`; undefined for the kernel and whatever has none.
 */
export function templateOfUnit(
  unit: string | undefined,
  { units, takesOthers, project }: Selection,
): EntryTemplate | undefined {
  const isNamed = unit !== undefined && units.some((glob) => matchesGlob(glob, unit));
  if (!isNamed && !takesOthers) return undefined;
  const name = isNamed ? unit.replace(/\.service$/, '') : 'node-journal';
  const logName = logNameMember(project, renamed[name] ?? name);
  return { resource: '', logName: { stdout: logName, stderr: logName }, labels: '' };
}
