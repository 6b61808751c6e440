/**
 * The calls of running tasks, one handler per method. The supervisor forwards calls without reading them; here the parameters are
 * validated, and writes are bound to the try whose token was sent.
 */
import { z } from "zod";
import {
  type Connection,
  type ForwardedMethod,
  idSchema,
  isReachable,
  jsonObjectSchema,
  jsonTextFault,
  jsonValueSchema,
  mapIndexSchema,
  REACHABLE_RULE,
  type RunnerCalls,
  runIdSchema,
  storableTextSchema,
  VARIABLE_KEY_MAX,
  wellFormedTextSchema,
  XCOM_KEY_MAX,
} from "../contracts/index.ts";
import { nextRunAfter } from "../scheduler/commands/index.ts";
import {
  deleteVariable,
  findConnection,
  findDag,
  findRun,
  findVariable,
  findXcom,
  readXcomPage,
  setRenderedFields,
  setVariable,
  setXcomByTry,
  taskStates,
} from "../store/index.ts";
import { type Caller, callerOf, logByTask } from "./log-by-task.ts";
import { Refusal, staleTry } from "./refusal.ts";
import { tasksOfGroup } from "./task-group.ts";
import { triggerDagRun } from "./trigger-dag-run.ts";

type Call<M extends ForwardedMethod> = {
  params: z.ZodType<RunnerCalls[M]["params"]>;
  answer(caller: Caller, params: RunnerCalls[M]["params"]): Promise<RunnerCalls[M]["result"]>;
};

/** The most bytes that one answer holds in memory, in addition to one value of any allowed size. */
const XCOM_PAGE_BYTES = 4 * 1024 * 1024;

const keySchema = storableTextSchema(XCOM_KEY_MAX).min(1);
const newKeySchema = keySchema.refine(isReachable, REACHABLE_RULE);

const CALLS: { [M in ForwardedMethod]: Call<M> } = {
  getXcom: {
    params: z.object({
      dagId: idSchema,
      runId: runIdSchema,
      taskId: idSchema,
      key: keySchema,
      mapIndex: mapIndexSchema,
      includePriorDates: z.boolean(),
    }),
    async answer({ resources }, { includePriorDates, ...ref }) {
      const found = await findXcom(resources.store, ref, includePriorDates);
      return found ? { found: true, value: found.value } : { found: false, value: null };
    },
  },
  getXcomPage: {
    params: z.object({
      dagId: idSchema,
      runId: runIdSchema,
      taskId: idSchema,
      key: keySchema,
      includePriorDates: z.boolean(),
      after: z.int().min(-1).nullable(),
    }),
    answer: ({ resources }, { includePriorDates, after, ...ref }) =>
      readXcomPage(resources.store, ref, { includePriorDates, after, pageBytes: XCOM_PAGE_BYTES }),
  },
  setXcom: {
    params: z.object({ key: newKeySchema, value: jsonValueSchema }),
    async answer({ resources, options, tryId }, { key, value }) {
      const json = JSON.stringify(value);
      const size = Buffer.byteLength(json);
      if (size > options.xcomMaxBytes) {
        throw new Refusal(
          413,
          "xcom_too_large",
          `XCom "${key}" has ${size} bytes; at most ${options.xcomMaxBytes} are allowed ([xcom] max_size_bytes). Store the data outside and pass a reference.`,
        );
      }
      const fault = jsonTextFault(json);
      if (fault !== null)
        throw new Refusal(422, "value_refused", `XCom "${key}" holds ${fault}. Remove it, or encode the text.`, { key });
      if (!(await setXcomByTry(resources.store, tryId, key, value))) throw staleTry(tryId);
      return null;
    },
  },
  getConnection: {
    params: z.object({ connId: keySchema }),
    async answer({ resources }, { connId }): Promise<Connection | null> {
      return resources.secrets.connection(connId) ?? (await findConnection(resources.store, resources.cipher, connId));
    },
  },
  getVariable: {
    params: z.object({ key: keySchema }),
    async answer({ resources }, { key }) {
      const value =
        resources.secrets.variable(key) ?? (await findVariable(resources.store, resources.cipher, key))?.value ?? null;
      return value === null ? null : { value };
    },
  },
  setVariable: {
    params: z.object({
      key: newKeySchema.max(VARIABLE_KEY_MAX),
      value: wellFormedTextSchema,
      description: wellFormedTextSchema.nullable(),
    }),
    async answer({ resources: { store, cipher }, ...calling }, variable) {
      await store.transaction(async (tx) => {
        const by = await callerOf(tx, calling);
        await setVariable(tx, cipher, variable);
        await logByTask(tx, by, "task_variable_set", { extra: { key: variable.key } });
      });
      return null;
    },
  },
  deleteVariable: {
    params: z.object({ key: keySchema }),
    async answer({ resources: { store }, ...calling }, { key }) {
      await store.transaction(async (tx) => {
        const by = await callerOf(tx, calling);
        if (await deleteVariable(tx, key)) await logByTask(tx, by, "task_variable_delete", { extra: { key } });
      });
      return null;
    },
  },
  triggerDagRun: {
    params: z.object({
      dagId: idSchema,
      runId: runIdSchema.nullable(),
      logicalDate: z.string().max(64).nullable(),
      conf: jsonObjectSchema,
      resetDagRun: z.boolean(),
      note: z.string().nullable(),
    }),
    answer: (caller, params) => triggerDagRun(caller, params),
  },
  getDagRunState: {
    params: z.object({ dagId: idSchema, runId: runIdSchema }),
    async answer({ resources }, { dagId, runId }) {
      const run = await findRun(resources.store, dagId, runId);
      return run && { state: run.state };
    },
  },
  getNextRunAfter: {
    params: z.object({ dagId: idSchema, runId: runIdSchema }),
    async answer({ resources }, { dagId, runId }) {
      const now = new Date(resources.clock.now());
      const next = await nextRunAfter(resources.store, resources.dags, dagId, runId, now);
      return next && { runAfter: next.runAfter?.toISOString() ?? null };
    },
  },
  getTaskStates: {
    params: z.object({
      dagId: idSchema,
      taskIds: z.array(idSchema).nullable(),
      taskGroupId: z.string().nullable(),
      logicalDates: z.array(z.iso.datetime({ offset: true })).nullable(),
      runIds: z.array(runIdSchema).nullable(),
    }),
    answer: getTaskStates,
  },
  putRenderedFields: {
    params: z.object({ fields: jsonObjectSchema }),
    async answer({ resources, tryId }, { fields }) {
      if (!(await setRenderedFields(resources.store, tryId, fields))) throw staleTry(tryId);
      return null;
    },
  },
};

export function isRunnerMethod(method: string): method is ForwardedMethod {
  return Object.hasOwn(CALLS, method);
}

/** Checks the parameters and answers. Throws a Refusal, or a BaramError from a command. */
export async function answerCall<M extends ForwardedMethod>(
  caller: Caller,
  method: M,
  params: unknown,
): Promise<RunnerCalls[M]["result"]> {
  const call: Call<M> = CALLS[method];
  const checked = call.params.safeParse(params);
  if (!checked.success) {
    const fault = checked.error.issues[0];
    throw new Refusal(422, "params_invalid", `${method}: ${fault?.path.join(".") ?? ""} ${fault?.message ?? "is wrong"}`, {
      method,
    });
  }
  return call.answer(caller, checked.data);
}

async function getTaskStates(
  { resources }: Caller,
  params: RunnerCalls["getTaskStates"]["params"],
): Promise<RunnerCalls["getTaskStates"]["result"]> {
  const { store, dags } = resources;
  const dag = await findDag(store, params.dagId);
  if (!dag?.versionId) return { dagExists: false, missingTaskIds: [], runs: [] };
  const { graph } = await dags.get(store, dag.versionId);
  const inGroup = params.taskGroupId === null ? [] : tasksOfGroup(graph, params.taskGroupId);
  const taskIds = params.taskIds === null && params.taskGroupId === null ? null : [...(params.taskIds ?? []), ...inGroup];
  const missingTaskIds = (params.taskIds ?? []).filter((id) => !graph.indexOf.has(id));
  if (params.taskGroupId !== null && inGroup.length === 0) missingTaskIds.push(params.taskGroupId);
  const runs = await taskStates(store, {
    dagId: params.dagId,
    taskIds,
    logicalDates: params.logicalDates,
    runIds: params.runIds,
  });
  return {
    dagExists: true,
    missingTaskIds,
    runs: runs.map((run) => ({ ...run, logicalDate: run.logicalDate?.toISOString() ?? null })),
  };
}
