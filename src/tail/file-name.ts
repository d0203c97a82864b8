// Reads the names of a container's log files and puts them in write order. Called by chain.ts for
// each directory listing.
//
//   CRI (kubelet container_log_manager.go)      0.log  0.log.20240305-140721  0.log.20240305-140721.gz
//   docker json-file                            <id>-json.log  <id>-json.log.1  <id>-json.log.2.gz   (higher is older)
//
// A `.tmp` (a gz being written, or CRI-O's reopen) is never one of them.

/** The name of one log file, taken apart. */
export type FileName = {
  readonly restartCount: number;
  /** Sorts in write order within a restart; '' for the live file. */
  readonly rotation: string;
  readonly compressed: boolean;
};

const criName = /^(\d{1,9})\.log(?:\.(\d{8}-\d{6}))?(\.gz)?$/;
const numberedRotation = /^\.(\d{1,6})(\.gz)?$/;

/**
 * The parts of `fileName` if it belongs to the family of `liveName`, else undefined.
 * In a CRI directory every restart's files are one family.
 */
export function parseFileName(fileName: string, liveName: string): FileName | undefined {
  if (criName.test(liveName)) {
    const match = criName.exec(fileName);
    if (match === null || (match[2] === undefined && match[3] !== undefined)) return undefined;
    return {
      restartCount: Number(match[1]),
      rotation: match[2] ?? '',
      compressed: match[3] !== undefined,
    };
  }
  if (fileName === liveName) return { restartCount: 0, rotation: '', compressed: false };
  if (!fileName.startsWith(liveName)) return undefined;
  const match = numberedRotation.exec(fileName.slice(liveName.length));
  if (match === null) return undefined;
  const newestFirst = 1_000_000 - Number(match[1]);
  return {
    restartCount: 0,
    rotation: String(newestFirst).padStart(7, '0'),
    compressed: match[2] !== undefined,
  };
}

/** Negative when `a` was written before `b`. */
export function compareFileNames(a: FileName, b: FileName): number {
  if (a.restartCount !== b.restartCount) return a.restartCount - b.restartCount;
  if (a.rotation === b.rotation) return 0;
  if (a.rotation === '') return 1; // The live file is the newest of its restart.
  if (b.rotation === '') return -1;
  return a.rotation < b.rotation ? -1 : 1;
}

/**
 * Whether both name the same bytes, compressed or not. The live file is only itself, and the
 * numbers of docker are given anew at each rotation.
 */
export function sameRotation(a: FileName, b: FileName): boolean {
  const isDated = a.rotation.includes('-');
  return isDated && a.restartCount === b.restartCount && a.rotation === b.rotation;
}
