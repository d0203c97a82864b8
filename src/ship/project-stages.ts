// The ship stage of each project that entries go to: a gate of its own, so that what one project
// refuses delays no other; the way there is shared.
//
// Invariant: a project's failures are seen by its own gate only.

import type { AgentError } from '../errors.ts';
import type { Gate } from './gate.ts';
import type { Stage } from './sending.ts';
import { Witness } from './witness.ts';

export class ProjectStages {
  readonly #main: Stage;
  readonly #project: string;
  readonly #openGate: (project: string) => Gate;
  readonly #others = new Map<string, Stage>();
  #stopped: AgentError | undefined;

  /** `main` is the stage of `project`, the node's own. */
  constructor(main: Stage, project: string, openGate: (project: string) => Gate) {
    this.#main = main;
    this.#project = project;
    this.#openGate = openGate;
  }

  /** undefined: the node's own. */
  of(project: string | undefined): Stage {
    if (project === undefined || project === this.#project) return this.#main;
    let stage = this.#others.get(project);
    if (stage === undefined) {
      stage = this.#open(project);
      this.#others.set(project, stage);
    }
    return stage;
  }

  /** Starts no request any more. */
  stop(reason: AgentError): void {
    this.#stopped ??= reason;
    for (const { gate } of [this.#main, ...this.#others.values()]) gate.stop(reason);
  }

  #open(project: string): Stage {
    const { limits, nowMs, counters } = this.#main;
    const gate = this.#openGate(project);
    if (this.#stopped !== undefined) gate.stop(this.#stopped);
    return {
      ...this.#main,
      gate,
      witness: new Witness({
        bytesMax: limits.shipWitnessBytesMax,
        ageMaxMs: limits.shipWitnessMs,
        nowMs,
      }),
      noteFailures: (count) => {
        if (count > 0) counters.failuresByProject[project] = count;
        else delete counters.failuresByProject[project];
      },
      refusalStreak: 0,
    };
  }
}
