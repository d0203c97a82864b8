// The ship stage of each project: all share the connections, but each has its own gate, so that one
// project's failures delay no other.

import type { AgentError } from '../errors.ts';
import type { Stage } from './sending.ts';

/** The parts that are not shared between projects. */
export type OwnParts = Pick<Stage, 'gate' | 'witness'>;

export class ProjectStages {
  readonly #main: Stage;
  readonly #project: string;
  readonly #openParts: (project: string) => OwnParts;
  readonly #others = new Map<string, Stage>();
  #stopped: AgentError | undefined;

  /** `main` is the stage of `project`, the node's own. */
  constructor(main: Stage, project: string, openParts: (project: string) => OwnParts) {
    this.#main = main;
    this.#project = project;
    this.#openParts = openParts;
  }

  /** The stage of a project; undefined is the node's own. */
  of(project: string | undefined): Stage {
    if (project === undefined || project === this.#project) return this.#main;
    let stage = this.#others.get(project);
    if (stage === undefined) {
      stage = this.#open(project);
      this.#others.set(project, stage);
    }
    return stage;
  }

  /** Starts no more requests. */
  stop(reason: AgentError): void {
    this.#stopped ??= reason;
    for (const { gate } of [this.#main, ...this.#others.values()]) gate.stop(reason);
  }

  #open(project: string): Stage {
    const { counters } = this.#main;
    const parts = this.#openParts(project);
    if (this.#stopped !== undefined) parts.gate.stop(this.#stopped);
    return {
      ...this.#main,
      ...parts,
      noteFailures: (count) => {
        if (count > 0) counters.failuresByProject[project] = count;
        else delete counters.failuresByProject[project];
      },
      refusalStreak: 0,
    };
  }
}
