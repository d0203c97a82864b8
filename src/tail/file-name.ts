// Parses the names of a container's log files and puts them in write order.
//
//   CRI (kubelet container_log_manager.go)      0.log  0.log.20240305-140721  0.log.20240305-140721.gz
//   docker json-file, logrotate                 <live>  <live>.1  <live>.2.gz   (higher is older)
//   logrotate with dateext, dateformat          <live>-20260706  <live>-2026070614.gz  <live>-20260706-1783296000
//
// A `.tmp` (a gz being written, or CRI-O's reopen) is none of them.

export type FileName = {
  readonly restartCount: number;
  /** Sorts in write order within a restart; '' for the live file. */
  readonly rotation: string;
  readonly compressed: boolean;
};

const criLiveName = /^\d{1,9}\.log$/;
const criName = /^(\d{1,9})\.log(.*)$/;
const numberedRotation = /^\.(\d{1,6})$/;
/** A date with an optional finer part in any form, or the seconds since 1970. */
const datedRotation = /^[-._](\d{4}-?\d\d-?\d\d)((?:[-._T]?\d{1,10}){0,4})$/;

/** undefined: not of the log with this live file. In a CRI directory all restarts are one log. */
export function parseFileName(fileName: string, liveName: string): FileName | undefined {
  if (criLiveName.test(liveName)) {
    const [, restart, suffix = ''] = criName.exec(fileName) ?? [];
    return restart === undefined ? undefined : nameOf(Number(restart), suffix);
  }
  return fileName.startsWith(liveName) ? nameOf(0, fileName.slice(liveName.length)) : undefined;
}

/** Whether `fileName` is a rotation, packed or not, of the log of `liveName`. */
export function isRotationOf(fileName: string, liveName: string): boolean {
  const name = parseFileName(fileName, liveName);
  return name !== undefined && name.rotation !== '';
}

function nameOf(restartCount: number, suffix: string): FileName | undefined {
  if (suffix === '') return { restartCount, rotation: '', compressed: false };
  const compressed = suffix.endsWith('.gz');
  const rotation = rotationOf(compressed ? suffix.slice(0, -'.gz'.length) : suffix);
  return rotation === undefined ? undefined : { restartCount, rotation, compressed };
}

function rotationOf(suffix: string): string | undefined {
  const [, number] = numberedRotation.exec(suffix) ?? [];
  if (number !== undefined) return String(1_000_000 - Number(number)).padStart(7, '0');
  const [, date, rest = ''] = datedRotation.exec(suffix) ?? [];
  return date === undefined ? undefined : `${digitsOf(date)}-${digitsOf(rest)}`;
}

function digitsOf(text: string): string {
  return text.replaceAll(/\D/g, '');
}

/** Negative when `a` was written before `b`. */
export function compareFileNames(a: FileName, b: FileName): number {
  if (a.restartCount !== b.restartCount) return a.restartCount - b.restartCount;
  if (a.rotation === b.rotation) return 0;
  if (a.rotation === '') return 1; // The live file is the newest of its restart.
  if (b.rotation === '') return -1;
  return a.rotation < b.rotation ? -1 : 1;
}

/** Whether both name the same bytes, compressed or not: numbers change with each rotation. */
export function sameRotation(a: FileName, b: FileName): boolean {
  const isDated = a.rotation.includes('-');
  return isDated && a.restartCount === b.restartCount && a.rotation === b.rotation;
}
