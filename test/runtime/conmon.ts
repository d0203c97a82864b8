// podman's conmon, which writes CRI-O's logs: 8 KiB a record, one time for all lines of a read, and
// a size limit of its own at which the file is replaced and its lines are gone.
//
// A pod here is only a name: podman starts containers alone. Invariant: all storage and state is in
// the given directories.

import fs from 'node:fs';
import path from 'node:path';
import { until } from '../support/agent-process.ts';
import { boxImage } from './box-image.ts';
import type { ContainerRuntime } from './container-runtime.ts';
import { runTool } from './run-tool.ts';

export type ConmonOptions = {
  readonly directory: string;
  readonly stateDir: string;
  readonly image: string;
  readonly cgroupParent: string;
  /** A directory that containers find at the same path. */
  readonly sharedDir: string;
};

/** Message of conmon's control pipe: type 2 reopens the log, the others are a window's size. */
const reopenMessage = '2 0 0\n';

/** Loads the image; there is no daemon to start. */
export async function startConmon(options: ConmonOptions): Promise<ContainerRuntime> {
  const { directory, stateDir, sharedDir } = options;
  const own = {
    root: path.join(directory, 'podman'),
    runroot: path.join(stateDir, 'podman-run'),
    tmpdir: path.join(stateDir, 'podman-tmp'),
    'storage-driver': 'vfs',
    'cgroup-manager': 'cgroupfs',
    'events-backend': 'none',
    runtime: 'runc',
  };
  const flags = Object.entries(own).map(([name, value]) => `--${name}=${value}`);
  const podman = (...words: string[]) => runTool('podman', [...flags, ...words]);
  const inspect = async (id: string, field: string) =>
    (await podman('container', 'inspect', '--format', `{{.${field}}}`, id)).trim();
  const exitCode = async (id: string): Promise<number | undefined> => {
    const [state, code] = (await inspect(id, 'State.Status}} {{.State.ExitCode')).split(' ');
    return state === 'exited' ? Number(code) : undefined;
  };
  await podman('load', '--quiet', '--input', options.image);
  return {
    startPod: (pod) => Promise.resolve(pod.uid),
    async startContainer(_handle, _pod, { command, logPath, logSizeMax }) {
      const logging = ['--log-driver=k8s-file', `--log-opt=path=${logPath}`];
      if (logSizeMax !== undefined) logging.push(`--log-opt=max-size=${logSizeMax}`);
      const limits = ['--ulimit=nofile=1024:1024', '--ulimit=nproc=1024:1024'];
      const place = ['--network=host', `--cgroup-parent=${options.cgroupParent}`];
      const shared = `--volume=${sharedDir}:${sharedDir}`;
      const words = ['run', '--detach', ...place, ...limits, ...logging, shared, boxImage];
      return (await podman(...words, ...command)).trim();
    },
    exitCode,
    async reopenLog(id, logPath) {
      const control = path.join(await inspect(id, 'StaticDir'), 'ctl');
      // Not blocking: without a conmon nobody reads the pipe, and opening it is an error.
      const { O_WRONLY, O_NONBLOCK } = fs.constants;
      const pipe = fs.openSync(control, O_WRONLY | O_NONBLOCK);
      fs.writeSync(pipe, reopenMessage);
      fs.closeSync(pipe);
      await until('conmon has opened its log', async () => {
        if (fs.existsSync(logPath)) return true;
        if ((await exitCode(id)) === undefined) return false;
        throw new Error('the container has ended');
      });
    },
    async removeContainer(id) {
      await podman('rm', '--force', '--time=0', id);
    },
    removePod: () => Promise.resolve(),
    async close() {
      await podman('rm', '--all', '--force', '--time=0');
    },
  };
}
