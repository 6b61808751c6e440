import type { SerializedMapping } from "../../contracts/index.ts";
import type { TaskContext } from "../context/context.ts";
import type { CommonTaskOptions } from "../options/task-options.ts";
import type { TaskSettings } from "../options/task-settings.ts";

// The types of a DAG under construction. They refer to each other in a circle, so they are in one file, which imports none of the
// files that build them.

/** The end of an edge: a task, a group, or an id that is resolved after the DAG's body has ended. */
export type Endpoint =
  | { readonly kind: "task"; readonly draft: DagDraft; readonly id: string }
  | { readonly kind: "group"; readonly draft: DagDraft; readonly id: string }
  | { readonly kind: "id"; readonly id: string };

export type DraftEdge = { readonly from: Endpoint; readonly to: Endpoint };

/** An input of a mapping: a list or an object as written in the DAG file, or a task's result, which is an `XComArg`. */
export type MapInput = object;

/** The inputs over which a task or group is mapped, as written in the DAG file. */
export type Mapping = {
  readonly kind: SerializedMapping["kind"];
  readonly inputs: readonly { readonly name: string; readonly value: MapInput }[];
};

/** The mapping of a task. `bind` turns the values of one instance into its options. */
export type TaskMapping = Mapping & { bind(options: object, values: readonly unknown[]): object };

/** A task as the DAG, the serializer and the runner see it. Every operator implements it. */
export type TaskNode = {
  readonly taskId: string;
  readonly taskGroupId: string | null;
  /** Class name, or "task" for function tasks. */
  readonly operatorName: string;
  readonly kind: "function" | "operator" | "sensor";
  readonly sensorMode: "poke" | "reschedule" | "deferrable" | null;
  /** true = the task does no work; it needs a process only for its callbacks. */
  readonly doesNothing: boolean;
  readonly settings: TaskSettings;
  readonly templateFields: readonly string[];
  /** The operator's options as written: template fields may contain templates, XComArgs and functions of the context. */
  readonly options: object;
  /** null = the task itself is not mapped, though its group may be. */
  readonly mapping: TaskMapping | null;
  /** A copy with these options, for one try. The node in the DAG is not changed. */
  withOptions(options: object): TaskNode;
  /** Constructs the task of one instance of a mapped task, since a constructor may read an option that is mapped. */
  forElement(options: object): TaskNode;
  execute(ctx: TaskContext): Promise<unknown>;
};

/** Tasks that were created inside a teardown's scope, and the group that contains the scope. */
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
  /** Prefix of the ids of tasks and groups inside it: "" or "outer.inner.". */
  readonly prefix: string;
  readonly defaultArgs: CommonTaskOptions;
  readonly mapping: Mapping | null;
};

/** Task id → ids of its direct upstream tasks. */
export type Upstreams = ReadonlyMap<string, ReadonlySet<string>>;

/**
 * An object that becomes a task or a group only when it is called or expanded: a task function, a `partial()`, a group with
 * parameters. If it is never used, the DAG would silently lack the task.
 */
export type LooseEnd = {
  readonly message: string;
  /** Where it was created; null = it is used. The stack is formatted only when it is read, since source maps make that slow. */
  madeAt: { readonly stack: string } | null;
};

/** A DAG while its body runs: the tasks, groups and edges so far, not validated. */
export type DagDraft = {
  readonly dagId: string;
  readonly timezone: string;
  readonly defaultArgs: CommonTaskOptions;
  readonly nodes: Map<string, TaskNode>;
  readonly groups: Map<string, DraftGroup>;
  readonly edges: DraftEdge[];
  /** Inner ones first. */
  readonly teardownScopes: TeardownScope[];
  readonly looseEnds: LooseEnd[];
};
