// Lines that a container writes by itself with nothing but a shell, and that this process can say
// again: a program for busybox awk, and the same lines as text.
//
// Invariant: line `seq` is a pure function of (kind, bytes, seq), and holds `seq` once, so that
// what arrives can be compared with what was written though only the container wrote it.

/** `json` has an object a line, `text` anything else. */
export type NumberedKind = 'text' | 'json';

export type NumberedLines = {
  readonly kind: NumberedKind;
  /** Of the filler: exactly as many if `fixed`, else up to as many. */
  readonly bytes: number;
  readonly fixed?: boolean;
};

export type WriterPlan = NumberedLines & {
  readonly stream: 'stdout' | 'stderr';
  /** The number of the first line, and how many are written. */
  readonly first: number;
  readonly count: number;
  /** Lines between two pauses. */
  readonly batch: number;
  /** 0 for none. */
  readonly pauseSeconds: number;
  /** The last line has no newline. */
  readonly unended?: boolean;
  /** A shell command that runs between two batches, beside the pause. */
  readonly between?: string;
};

const alphabet = 'abcdefghijklmnopqrstuvwxyz0123456789 ';
/** Coprime to most lengths, so that neighbours differ in length. */
const step = 7_919;

// The umlauts make bytes and characters two things; awk and this file count ASCII only.
const program = `
BEGIN {
  filler = alphabet
  while (length(filler) < bytes) filler = filler filler
  whole = substr(filler, 1, bytes)
  last = first + count - 1
  for (seq = first; seq <= last; seq++) {
    pad = fixed ? whole : substr(filler, 1, (seq * ${step}) % bytes + 1)
    end = (seq == last && unended) ? "" : "\\n"
    if (kind == "json") {
      printf "{\\"severity\\":\\"INFO\\",\\"seq\\":%d,\\"note\\":\\"%s\\"}%s", seq, pad, end
    } else printf "seq=%d grüße %s%s", seq, pad, end
    if (seq % batch == 0 && seq < last) {
      fflush()
      if (between != "") system(between)
      if (pause > 0) system("sleep " pause)
    }
  }
}`;

/** The text of line `seq`, without its newline. */
export function numberedLine({ kind, bytes, fixed }: NumberedLines, seq: number): string {
  const length = fixed === true ? bytes : ((seq * step) % bytes) + 1;
  const pad = alphabet.repeat(Math.ceil(length / alphabet.length)).slice(0, length);
  if (kind === 'json') return `{"severity":"INFO","seq":${seq},"note":"${pad}"}`;
  return `seq=${seq} grüße ${pad}`;
}

/** A command that writes what the plans say, all of them at once, and ends with this exit code. */
export function writerCommand(plans: readonly WriterPlan[], exitCode = 0): string[] {
  const writers = plans.map((plan) => {
    const values = {
      kind: plan.kind,
      bytes: plan.bytes,
      fixed: plan.fixed === true ? 1 : 0,
      first: plan.first,
      count: plan.count,
      batch: plan.batch,
      pause: plan.pauseSeconds,
      unended: plan.unended === true ? 1 : 0,
      between: plan.between ?? '',
      alphabet,
    };
    const flags = Object.entries(values).map(([name, value]) => `-v ${quote(`${name}=${value}`)}`);
    const target = plan.stream === 'stderr' ? ' >&2' : '';
    return `awk ${flags.join(' ')} ${quote(program)}${target} &`;
  });
  return ['/bin/sh', '-c', `${writers.join('\n')}\nwait\nexit ${exitCode}`];
}

function quote(word: string): string {
  return `'${word.replaceAll("'", `'\\''`)}'`;
}
