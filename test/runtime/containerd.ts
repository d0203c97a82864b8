// Debian's containerd and runc, from a configuration of its own in a given directory, driven over
// CRI. The pods share the node's network, so no CNI is needed.
//
// Invariant: nothing of a containerd that the machine may run already is touched.

import { spawn } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { once } from 'node:events';
import { until } from '../support/agent-process.ts';
import { boxImage, pauseImage } from './box-image.ts';
import type { ContainerRuntime, PodPlan } from './container-runtime.ts';
import { CriClient } from './cri-client.ts';
import type { PodSandboxConfig } from './cri-client.ts';
import { runTool } from './run-tool.ts';

export type ContainerdOptions = {
  readonly directory: string;
  /** Short, since a socket's path has 107 bytes at most. */
  readonly stateDir: string;
  /** Archive of the images. */
  readonly image: string;
  readonly cgroupParent: string;
};

const startMsMax = 60_000;

/** Starts it and loads the image; rejects with containerd's last words when it does not come up. */
export async function startContainerd(options: ContainerdOptions): Promise<ContainerRuntime> {
  const socket = path.join(options.stateDir, 'containerd.sock');
  const configFile = path.join(options.directory, 'containerd.toml');
  fs.writeFileSync(configFile, configText(options, socket));
  const output = fs.openSync(path.join(options.directory, 'containerd.txt'), 'a');
  const child = spawn('containerd', ['--config', configFile], {
    stdio: ['ignore', output, output],
  });
  fs.closeSync(output);
  const ctr = (...words: string[]) => runTool('ctr', ['--address', socket, ...words]);
  await until(
    'containerd answers',
    async () => {
      if (child.exitCode !== null) throw new Error(`containerd ended: ${lastWords(options)}`);
      return (await ctr('version').catch(() => undefined)) !== undefined;
    },
    { withinMs: startMsMax },
  );
  await ctr('--namespace', 'k8s.io', 'image', 'import', '--snapshotter', 'native', options.image);
  const client = new CriClient(socket);
  const configs = new Map<string, PodSandboxConfig>();
  const hostNetwork = { namespaceOptions: { network: 'NODE', pid: 'CONTAINER', ipc: 'POD' } };
  return {
    async startPod(pod) {
      const config = sandboxConfig(pod, options.cgroupParent, hostNetwork);
      const handle = await client.runPodSandbox(config);
      configs.set(handle, config);
      return handle;
    },
    async startContainer(handle, pod, { name, attempt, command, logPath }) {
      const config = {
        metadata: { name, attempt },
        image: { image: boxImage },
        command,
        logPath: path.relative(pod.directory, logPath),
        linux: { securityContext: hostNetwork },
      };
      const sandbox = configs.get(handle) ?? sandboxConfig(pod, options.cgroupParent, hostNetwork);
      const id = await client.createContainer(handle, config, sandbox);
      await client.startContainer(id);
      return id;
    },
    exitCode: (id) => client.exitCode(id),
    reopenLog: (id) => client.reopenContainerLog(id),
    removeContainer: (id) => client.removeContainer(id),
    async removePod(handle) {
      configs.delete(handle);
      await client.removePodSandbox(handle);
    },
    async close() {
      client.close();
      if (child.exitCode !== null) return;
      child.kill('SIGTERM');
      await once(child, 'exit');
    },
  };
}

function sandboxConfig(
  pod: PodPlan,
  cgroupParent: string,
  securityContext: PodSandboxConfig['linux']['securityContext'],
): PodSandboxConfig {
  const { name, uid, namespace, directory } = pod;
  return {
    metadata: { name, uid, namespace, attempt: 0 },
    // With the node's network the name is the node's.
    hostname: '',
    logDirectory: directory,
    dnsConfig: { servers: ['127.0.0.1'] },
    linux: { cgroupParent, securityContext },
  };
}

function configText({ directory, stateDir }: ContainerdOptions, socket: string): string {
  const cri = 'plugins."io.containerd.grpc.v1.cri"';
  return `version = 2
root = ${JSON.stringify(path.join(directory, 'containerd'))}
state = ${JSON.stringify(path.join(stateDir, 'containerd-state'))}
[grpc]
address = ${JSON.stringify(socket)}
[${cri}]
sandbox_image = "${pauseImage.replace('docker.io/', '')}"
disable_apparmor = true
disable_tcp_service = true
restrict_oom_score_adj = true
tolerate_missing_hugetlb_controller = true
[${cri}.containerd]
snapshotter = "native"
default_runtime_name = "runc"
[${cri}.containerd.runtimes.runc]
runtime_type = "io.containerd.runc.v2"
`;
}

function lastWords({ directory }: ContainerdOptions): string {
  const text = fs.readFileSync(path.join(directory, 'containerd.txt'), 'utf8');
  return text.trimEnd().split('\n').slice(-5).join('\n');
}
