// Maps systemd units to logs, as GKE's own agent does.

import { matchesGlob } from '../container-glob.ts';

/** Every container runtime uses the same log. */
const renamed: ReadonlyMap<string, string> = new Map([
  ['containerd', 'container-runtime'],
  ['crio', 'container-runtime'],
]);

type Selection = {
  /** Globs. */
  readonly units: readonly string[];
  readonly takesOthers: boolean;
};

const othersLog = 'node-journal';

/**
 * undefined when the entries are not shipped. `unit`: the value of `_SYSTEMD_UNIT`; undefined for
 * the kernel and others without one.
 */
export function logOfUnit(
  unit: string | undefined,
  { units, takesOthers }: Selection,
): string | undefined {
  const isNamed = unit !== undefined && units.some((glob) => matchesGlob(glob, unit));
  if (!isNamed) return takesOthers ? othersLog : undefined;
  const name = unit.replace(/\.service$/, '');
  return renamed.get(name) ?? name;
}

/** The logs that are known before an entry is read: those of units that are no globs. */
export function logsNamedBy({ units, takesOthers }: Selection): string[] {
  const named = units.filter((unit) => !/[*?]/.test(unit));
  const logs = named.map((unit) => logOfUnit(unit, { units: named, takesOthers }) ?? unit);
  return [...new Set([...logs, ...(takesOthers ? [othersLog] : [])])];
}
