import type { SerializedMapping } from "../../contracts/index.ts";
import type { TaskContext } from "../context/context.ts";
import type { CommonTaskOptions } from "../options/task-options.ts";
import type { TaskSettings } from "../options/task-settings.ts";

// The shapes of a DAG under construction. They refer to each other in a circle, so they stand together and import none of the
// files that build them.

/** What stands at an end of an edge: a task, a group, or an id that is looked up when the DAG's body has ended. */
export type Endpoint =
  | { readonly kind: "task"; readonly draft: DagDraft; readonly id: string }
  | { readonly kind: "group"; readonly draft: DagDraft; readonly id: string }
  | { readonly kind: "id"; readonly id: string };

export type DraftEdge = { readonly from: Endpoint; readonly to: Endpoint };

/** What is mapped over: a list or an object as written in the DAG file, or a task's result, which is an `XComArg`. */
export type MapInput = object;

/** What a task or a group is mapped over, as written in the DAG file. */
export type Mapping = {
  readonly kind: SerializedMapping["kind"];
  readonly inputs: readonly { readonly name: string; readonly value: MapInput }[];
};

/** Of a task: also how the values of one instance become its options. */
export type TaskMapping = Mapping & { bind(options: object, values: readonly unknown[]): object };

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

/** Task id → ids of the tasks directly before it. */
export type Upstreams = ReadonlyMap<string, ReadonlySet<string>>;

/**
 * What becomes a task or a group only when it is called or expanded: a task function, a `partial()`, a group with parameters.
 * Left as it is, it would be missing from the DAG without a word.
 */
export type LooseEnd = {
  readonly message: string;
  /** Where it was made; null = it is used. The stack is formatted when it is read, which source maps make slow. */
  madeAt: { readonly stack: string } | null;
};

/** A DAG while its body runs: what was created and linked so far, unchecked. */
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
