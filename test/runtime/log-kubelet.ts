// The kubelet's part in container logs, for containers that a real runtime runs: directories,
// links, rotation, and the removal of dead containers and pods.
//
// Facts are from container_log_manager.go and kuberuntime_gc.go of the kubelet. Invariant: a file
// is deleted only while `mayDelete` says so. A real kubelet looks each 10 s, so that five files
// outlast an agent's restart; the tests rotate each second, and wait instead.

import { randomUUID } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import { compressFile, rotationStamp } from '../../src/emulator/kubelet/rotated-file.ts';
import { until } from '../support/agent-process.ts';
import type { ContainerRuntime, PodPlan } from './container-runtime.ts';

export type LogKubeletOptions = {
  /** Takes the place of /var/log. */
  readonly root: string;
  /** `containerLogMaxFiles`. */
  readonly filesMax: number;
  readonly note: (text: string) => void;
  /** Whether nothing that is to be deleted is still to be read. */
  readonly mayDelete: () => Promise<boolean>;
};

export type Pod = PodPlan & { readonly runtime: ContainerRuntime; readonly handle: string };

/** One run of a container. */
export type Run = {
  readonly pod: Pod;
  readonly container: string;
  readonly attempt: number;
  readonly id: string;
  readonly logPath: string;
  readonly link: string;
};

export type RunOptions = {
  readonly command: readonly string[];
  readonly attempt?: number;
  readonly logSizeMax?: string;
};

const deleteMsMax = 120_000;
/** Of a file that is deleted: its last line is as old. */
const quietMsMin = 3_000;
/** Asking conmon's container starts a podman. */
const endedEveryMs = 1_000;

/** See the file's header. */
export class LogKubelet {
  readonly containersDir: string;
  readonly podsDir: string;
  /** Since the start. */
  readonly counts = { rotations: 0, undone: 0, compressed: 0, deletedFiles: 0, pods: 0 };
  readonly #options: LogKubeletOptions;
  /** Of the last rotation, by log: two never get one name. */
  readonly #stampSeconds = new Map<string, number>();

  constructor(options: LogKubeletOptions) {
    this.#options = options;
    this.containersDir = path.join(options.root, 'containers');
    this.podsDir = path.join(options.root, 'pods');
    fs.mkdirSync(this.containersDir, { recursive: true });
    fs.mkdirSync(this.podsDir, { recursive: true });
  }

  async startPod(runtime: ContainerRuntime, name: string): Promise<Pod> {
    const uid = randomUUID();
    const namespace = 'default';
    const directory = path.join(this.podsDir, `${namespace}_${name}_${uid}`);
    fs.mkdirSync(directory, { recursive: true });
    const plan = { namespace, name, uid, directory };
    this.counts.pods += 1;
    return { ...plan, runtime, handle: await runtime.startPod(plan) };
  }

  /** Starts the container; its link comes after it, as the kubelet's does. */
  async startContainer(pod: Pod, container: string, options: RunOptions): Promise<Run> {
    const { attempt = 0, ...others } = options;
    const directory = path.join(pod.directory, container);
    fs.mkdirSync(directory, { recursive: true });
    const logPath = path.join(directory, `${attempt}.log`);
    const plan = { name: container, attempt, logPath, ...others };
    const id = await pod.runtime.startContainer(pod.handle, pod, plan);
    const name = `${pod.name}_${pod.namespace}_${container}-${id}.log`;
    const link = path.join(this.containersDir, name);
    if (fs.existsSync(logPath)) fs.symlinkSync(logPath, link);
    return { pod, container, attempt, id, logPath, link };
  }

  /** Resolves to the exit code. */
  async ended({ pod, id }: Run, withinMs: number): Promise<number> {
    const options = { withinMs, everyMs: endedEveryMs };
    const look = () => exitCode(pod.runtime, id);
    const { code } = await until(`${pod.name} has ended`, look, options);
    this.#options.note(`${pod.name} has ended with ${code}`);
    return code;
  }

  /** One pass of the log manager over a running container whose log is full. */
  async rotate(run: Run): Promise<void> {
    if (!fs.existsSync(run.logPath) || fs.statSync(run.logPath).size === 0) return;
    this.#removeLeftovers(run);
    await this.#prune(run);
    for (const file of rotatedFiles(run)) {
      if (file.endsWith('.gz')) continue;
      await compressFile(file, 0);
      this.counts.compressed += 1;
    }
    const before = this.#stampSeconds.get(run.logPath) ?? 0;
    const seconds = Math.max(Math.floor(Date.now() / 1_000), before + 1);
    this.#stampSeconds.set(run.logPath, seconds);
    const rotated = `${run.logPath}.${rotationStamp(seconds)}`;
    fs.renameSync(run.logPath, rotated);
    try {
      await run.pod.runtime.reopenLog(run.id, run.logPath);
      this.counts.rotations += 1;
    } catch {
      // It has ended meanwhile; the kubelet gives the file its name back.
      fs.renameSync(rotated, run.logPath);
      this.counts.undone += 1;
    }
  }

  /** Removes a dead container, its files and its link. */
  async removeRun(run: Run): Promise<void> {
    await this.#untilMayDelete([run]);
    await run.pod.runtime.removeContainer(run.id);
    for (const file of [...rotatedFiles(run), run.logPath]) this.#remove(file);
    fs.rmSync(run.link, { force: true });
  }

  /** Deletes a pod whose containers have ended: log files, then directories, then links. */
  async removePod(pod: Pod, runs: readonly Run[]): Promise<void> {
    await this.#untilMayDelete(runs);
    for (const run of runs) await pod.runtime.removeContainer(run.id);
    await pod.runtime.removePod(pod.handle);
    for (const run of runs) {
      for (const file of [...rotatedFiles(run), run.logPath]) this.#remove(file);
    }
    fs.rmSync(pod.directory, { recursive: true });
    for (const run of runs) fs.rmSync(run.link, { force: true });
  }

  /** What an earlier pass did not bring to its end: `.tmp`, and plain files beside their `.gz`. */
  #removeLeftovers(run: Run): void {
    for (const file of rotatedFiles(run)) {
      if (file.endsWith('.tmp') || fs.existsSync(`${file}.gz`)) this.#remove(file);
    }
  }

  async #prune(run: Run): Promise<void> {
    const files = rotatedFiles(run);
    const surplus = files.slice(0, Math.max(files.length - (this.#options.filesMax - 2), 0));
    if (surplus.length === 0 || !(await this.#options.mayDelete())) return;
    for (const file of surplus) this.#remove(file);
  }

  async #untilMayDelete(runs: readonly Run[]): Promise<void> {
    const look = async () => {
      const lastMs = Math.max(...runs.map(({ logPath }) => fs.statSync(logPath).mtimeMs));
      return Date.now() - lastMs > quietMsMin && this.#options.mayDelete();
    };
    const options = { withinMs: deleteMsMax, everyMs: 200 };
    await until('the logs of a dead container may be deleted', look, options);
  }

  #remove(file: string): void {
    fs.unlinkSync(file);
    this.counts.deletedFiles += 1;
  }
}

/** Zero is an answer, too, so that it is wrapped. */
async function exitCode(
  runtime: ContainerRuntime,
  id: string,
): Promise<{ readonly code: number } | undefined> {
  const code = await runtime.exitCode(id);
  return code === undefined ? undefined : { code };
}

/** Of this run, oldest first. */
function rotatedFiles({ logPath }: Run): string[] {
  const directory = path.dirname(logPath);
  const prefix = `${path.basename(logPath)}.`;
  const names = fs.readdirSync(directory).filter((name) => name.startsWith(prefix));
  return names.toSorted().map((name) => path.join(directory, name));
}
