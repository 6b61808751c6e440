import type { SerializedParam, SerializedTimetable } from "../../contracts/index.ts";
import type { DagCallback } from "../context/context.ts";
import type { BaseNotifier } from "../context/notifier.ts";
import type { DraftGroup, TaskNode, Upstreams } from "../graph/types.ts";
import type { Timetable } from "../schedule/timetable.ts";

/** A complete, validated DAG with the code of its tasks, as its file defines it. `dag()` returns it. */
export class DagDefinition {
  readonly facts: DagDefinitionFacts;
  /** Its stack names the line of the `dag()` call, for errors that are found later. */
  readonly definedAt = new Error("defined here");

  constructor(facts: DagDefinitionFacts) {
    this.facts = facts;
  }

  get dagId(): string {
    return this.facts.dagId;
  }

  /** In the order of creation. */
  get taskIds(): string[] {
    return [...this.facts.nodes.keys()];
  }
}

export type DagDefinitionFacts = {
  readonly dagId: string;
  readonly displayName: string | null;
  readonly description: string | null;
  readonly docMd: string | null;
  readonly tags: readonly string[];
  readonly timezone: string;
  readonly timetable: SerializedTimetable;
  /** The object of a timetable of type `custom`. */
  readonly customTimetable: Timetable | null;
  readonly scheduleSummary: string | null;
  readonly startDate: string | null;
  readonly endDate: string | null;
  readonly catchup: boolean;
  readonly maxActiveRuns: number;
  readonly maxActiveTasks: number;
  readonly maxConsecutiveFailedDagRuns: number;
  readonly dagrunTimeoutSec: number | null;
  readonly failFast: boolean;
  readonly isPausedUponCreation: boolean | null;
  readonly params: Readonly<Record<string, SerializedParam>>;
  readonly callbacks: {
    readonly onSuccess: readonly (DagCallback | BaseNotifier)[];
    readonly onFailure: readonly (DagCallback | BaseNotifier)[];
  };
  readonly nodes: ReadonlyMap<string, TaskNode>;
  readonly groups: ReadonlyMap<string, DraftGroup>;
  readonly upstreams: Upstreams;
  /** Group id → ids of its tasks that have no upstream inside the group. */
  readonly groupRoots: ReadonlyMap<string, readonly string[]>;
};
