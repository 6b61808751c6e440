import { randomUUID } from "node:crypto";
import type { DagRunFacts, JsonObject, MapFacts } from "../../contracts/index.ts";
import { BaramError, type Masker } from "../../platform/index.ts";
import { DagDefinition, type TaskNode } from "../../sdk/runtime.ts";
import { type RunnerCaller, runTask } from "../../worker/runner/index.ts";
import type { Reader, ReadMethod } from "./database-caller.ts";

const READS: ReadonlySet<string> = new Set<ReadMethod>([
  "getXcom",
  "getXcomPage",
  "getConnection",
  "getVariable",
  "getDagRunState",
  "getTaskStates",
]);

/**
 * Renders a task's template fields as its try would, without running the task: the runner gets a copy of the task without work
 * and callbacks. Throws `render_failed` with the runner's message.
 */
export async function renderFields(input: {
  definition: DagDefinition;
  taskId: string;
  dagRun: DagRunFacts;
  /** -1 = not mapped. */
  mapIndex?: number;
  /** The facts about the results over which a mapped instance is mapped. */
  map?: MapFacts | null;
  read: Reader;
  masker: Masker;
}): Promise<JsonObject> {
  const { definition, taskId, dagRun, read, masker } = input;
  const node = definition.facts.nodes.get(taskId);
  if (!node) throw new BaramError("task_not_found", `The code of this run defines no task "${taskId}".`);
  const nodes = new Map(definition.facts.nodes).set(taskId, withoutWork(node));
  const caller = {
    call: (method, params) => (READS.has(method) ? read(method as ReadMethod, params as never) : Promise.resolve(null)),
  } as RunnerCaller;
  const { outcome } = await runTask({
    dag: new DagDefinition({ ...definition.facts, nodes }),
    taskId,
    ti: { id: randomUUID(), mapIndex: input.mapIndex ?? -1, tryNumber: 1 },
    context: {
      dagRun,
      maxTries: 0,
      shouldRetry: false,
      taskRescheduleCount: 0,
      startDate: new Date().toISOString(),
      executionTimeoutSec: null,
      inputs: [],
      map: input.map ?? null,
      maxMapLength: Number.MAX_SAFE_INTEGER,
      xcomMaxBytes: Number.MAX_SAFE_INTEGER,
    },
    caller,
    masker,
    log: () => {},
    signal: new AbortController().signal,
    now: Date.now,
  });
  if (outcome.state !== "failed") return outcome.renderedFields ?? {};
  const why = masker.mask(outcome.error.message);
  throw new BaramError("render_failed", `Task "${taskId}" of DAG "${dagRun.dagId}" cannot be rendered: ${why}`);
}

/** The copy is not an instance of an SDK class, so that the runner does not treat it as a sensor and poke. */
function withoutWork(node: TaskNode): TaskNode {
  const settings = {
    ...node.settings,
    callbacks: { onExecute: [], onSuccess: [], onFailure: [], onRetry: [], onSkipped: [] },
  };
  const quiet = { execute: async () => undefined };
  return Object.create(node, {
    settings: { value: settings },
    withOptions: { value: () => quiet },
    forElement: { value: () => quiet },
  });
}
