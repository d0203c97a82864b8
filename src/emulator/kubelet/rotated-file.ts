// How the kubelet names a rotated log file and compresses it (container_log_manager.go).
//
// Invariant: a visible `.gz` is complete; it is written as `.tmp`.

import fs from 'node:fs';
import { pipeline } from 'node:stream/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import zlib from 'node:zlib';

/** `YYYYMMDD-HHMMSS`, the kubelet's suffix; `seconds` since the epoch. */
export function rotationStamp(seconds: number): string {
  const text = new Date(seconds * 1_000).toISOString();
  return text.slice(0, 19).replaceAll(/[-:]/g, '').replace('T', '-');
}

/** Makes `<file>.gz` of the file by way of `<file>.tmp`, with a pause after each small step. */
export async function compressFile(file: string, pauseMs: number): Promise<void> {
  const source = fs.createReadStream(file, { highWaterMark: pauseMs > 0 ? 4_096 : 65_536 });
  async function* slowly(chunks: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
    for await (const chunk of chunks) {
      if (pauseMs > 0) await sleep(pauseMs);
      yield chunk;
    }
  }
  await pipeline(source, slowly, zlib.createGzip(), fs.createWriteStream(`${file}.tmp`));
  fs.renameSync(`${file}.tmp`, `${file}.gz`);
  fs.unlinkSync(file);
}
