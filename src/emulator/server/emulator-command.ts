// `tailship emulator`: starts the emulator, says where in one JSON line, and serves until a signal.

import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import type { Config } from '../../options/options.ts';
import type { Control } from '../../control.ts';
import { type Emulator, startEmulator } from './server.ts';
import { configError, hasCode } from '../../errors.ts';

/** Serves until `control.signal`; returns the exit code. Throws CONFIG_INVALID for bad faults. */
export async function runEmulator(config: Config, control: Control): Promise<number> {
  const emulator = await start(config);
  control.write(JSON.stringify({ listening: emulator.url }));
  if (!control.signal.aborted) await once(control.signal, 'abort');
  await emulator.close();
  return 0;
}

async function start({ port, data, faults, memoryBytes }: Config): Promise<Emulator> {
  try {
    return await startEmulator({
      port,
      memoryBytes,
      ...(data === undefined ? {} : { dataFile: data }),
      ...(faults === undefined ? {} : { faults: readFaults(faults) }),
    });
  } catch (error) {
    if (!hasCode(error, 'ERR_SQLITE_ERROR')) throw error;
    const reason = (error as Error).message;
    throw configError(`--data ${data}: ${reason}`, { cause: error });
  }
}

function readFaults(file: string): object {
  try {
    return JSON.parse(readFileSync(file, 'utf8')) as object;
  } catch (error) {
    throw configError(`--faults ${file} holds no JSON`, { cause: error });
  }
}
