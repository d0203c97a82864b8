// A client of a container runtime's socket, with the few calls that a kubelet makes for logs.
//
// The messages are those of cri.proto. Invariant: a call that fails rejects with the runtime's own
// words, and no call takes longer than `callMsMax`.

import { credentials, loadPackageDefinition } from '@grpc/grpc-js';
import type { Client, ServiceError } from '@grpc/grpc-js';
import { loadSync } from '@grpc/proto-loader';
import path from 'node:path';

const protoFile = path.join(import.meta.dirname, 'cri.proto');
const callMsMax = 60_000;

export type PodSandboxConfig = {
  readonly metadata: { name: string; uid: string; namespace: string; attempt: number };
  readonly hostname: string;
  readonly logDirectory: string;
  readonly dnsConfig: { readonly servers: readonly string[] };
  readonly linux: {
    readonly cgroupParent: string;
    readonly securityContext: { readonly namespaceOptions: Readonly<Record<string, string>> };
  };
};

export type ContainerConfig = {
  readonly metadata: { readonly name: string; readonly attempt: number };
  readonly image: { readonly image: string };
  readonly command: readonly string[];
  readonly logPath: string;
  readonly linux: PodSandboxConfig['linux'] | object;
};

type Request = Readonly<Record<string, unknown>>;
type Call = (
  request: Request,
  options: { readonly deadline: number },
  done: (error: ServiceError | null, answer: unknown) => void,
) => void;
type RuntimeService = Client & Readonly<Record<string, Call>>;

/** One connection to `runtime.v1.RuntimeService`. */
export class CriClient {
  readonly #service: RuntimeService;

  constructor(socketPath: string) {
    const loaded = loadPackageDefinition(loadSync(protoFile, { longs: Number, enums: String }));
    const { v1 } = loaded['runtime'] as unknown as {
      v1: { RuntimeService: new (...words: unknown[]) => RuntimeService };
    };
    this.#service = new v1.RuntimeService(`unix://${socketPath}`, credentials.createInsecure());
  }

  async runPodSandbox(config: PodSandboxConfig): Promise<string> {
    const answer = await this.#call<{ podSandboxId: string }>('RunPodSandbox', { config });
    return answer.podSandboxId;
  }

  async removePodSandbox(podSandboxId: string): Promise<void> {
    await this.#call('StopPodSandbox', { podSandboxId });
    await this.#call('RemovePodSandbox', { podSandboxId });
  }

  async createContainer(
    podSandboxId: string,
    config: ContainerConfig,
    sandboxConfig: PodSandboxConfig,
  ): Promise<string> {
    const request = { podSandboxId, config, sandboxConfig };
    return (await this.#call<{ containerId: string }>('CreateContainer', request)).containerId;
  }

  async startContainer(containerId: string): Promise<void> {
    await this.#call('StartContainer', { containerId });
  }

  async removeContainer(containerId: string): Promise<void> {
    await this.#call('RemoveContainer', { containerId });
  }

  /** The runtime opens the container's log path again; true writes go to a new file from now on. */
  async reopenContainerLog(containerId: string): Promise<void> {
    await this.#call('ReopenContainerLog', { containerId });
  }

  /** Undefined while it runs. */
  async exitCode(containerId: string): Promise<number | undefined> {
    type Answer = { status: { state?: string; exitCode?: number } };
    const { status } = await this.#call<Answer>('ContainerStatus', { containerId });
    return status.state === 'CONTAINER_EXITED' ? (status.exitCode ?? 0) : undefined;
  }

  close(): void {
    this.#service.close();
  }

  #call<Answer>(method: string, request: Request): Promise<Answer> {
    const { promise, resolve, reject } = Promise.withResolvers<Answer>();
    const options = { deadline: Date.now() + callMsMax };
    this.#service[method]?.call(this.#service, request, options, (error, answer) => {
      if (error === null) resolve(answer as Answer);
      else reject(new Error(`${method}: ${error.message}`, { cause: error }));
    });
    return promise;
  }
}
