import type { TaskContext } from "./context.ts";
import { DagDefinitionError } from "./definition-error.ts";
import type { Mapping, TaskMapping } from "./mapping.ts";
import type { CommonTaskOptions } from "./task-options.ts";
import type { TaskSettings } from "./task-settings.ts";

/** What stands at an end of an edge: a task, a group, or an id that is looked up when the DAG's body has ended. */
export type Endpoint =
  | { readonly kind: "task"; readonly draft: DagDraft; readonly id: string }
  | { readonly kind: "group"; readonly draft: DagDraft; readonly id: string }
  | { readonly kind: "id"; readonly id: string };

export type DraftEdge = { readonly from: Endpoint; readonly to: Endpoint };

/** A task as the DAG, the serializer and the runner see it; every operator is one. */
export type TaskNode = {
  readonly taskId: string;
  readonly taskGroupId: string | null;
  /** Class name, or "task" for function tasks. */
  readonly operatorName: string;
  readonly kind: "function" | "operator" | "sensor";
  readonly sensorMode: "poke" | "reschedule" | "deferrable" | null;
  /** Nothing to run, unless it has callbacks. */
  readonly doesNothing: boolean;
  readonly settings: TaskSettings;
  readonly templateFields: readonly string[];
  /** The operator's options as written: template fields may hold templates, XComArgs and functions of the context. */
  readonly options: object;
  /** What the task is mapped over; null = it is not, though its group may be. */
  readonly mapping: TaskMapping | null;
  /** A copy whose options are these, for one try; the node in the DAG stays as written. */
  withOptions(options: object): TaskNode;
  /** The task of one instance of a mapped one, made anew: a constructor may look at an option that is mapped. */
  forElement(options: object): TaskNode;
  execute(ctx: TaskContext): Promise<unknown>;
};

/** Tasks that were created inside a teardown's scope, and the group in which the scope stands. */
export type TeardownScope = {
  readonly teardownId: string;
  readonly members: readonly string[];
  readonly groupId: string | null;
};

export type DraftGroup = {
  readonly groupId: string;
  readonly parentGroupId: string | null;
  readonly label: string;
  readonly tooltip: string;
  /** What ids of tasks and groups inside it begin with, "" or "outer.inner.". */
  readonly prefix: string;
  readonly defaultArgs: CommonTaskOptions;
  readonly mapping: Mapping | null;
};

/** A DAG while its body runs: what was created and linked so far, unchecked. */
export class DagDraft {
  readonly dagId: string;
  readonly timezone: string;
  readonly defaultArgs: CommonTaskOptions;
  readonly nodes = new Map<string, TaskNode>();
  readonly groups = new Map<string, DraftGroup>();
  readonly edges: DraftEdge[] = [];
  /** Inner ones first. */
  readonly teardownScopes: TeardownScope[] = [];

  constructor(dagId: string, timezone: string, defaultArgs: CommonTaskOptions) {
    this.dagId = dagId;
    this.timezone = timezone;
    this.defaultArgs = defaultArgs;
  }

  /** @throws DagDefinitionError TASK_DUPLICATE_ID */
  checkFree(id: string): void {
    if (!this.nodes.has(id) && !this.groups.has(id)) return;
    const holder = this.nodes.has(id) ? "a task" : "a task group";
    throw new DagDefinitionError(
      "TASK_DUPLICATE_ID",
      `DAG "${this.dagId}" has ${holder} with the id "${id}" already: ids of tasks and groups must differ`,
      { dagId: this.dagId, id },
    );
  }
}
