import type { DagRunState, JsonValue, RunnerCalls, RunnerMethod } from "../../contracts/index.ts";
import { learnFromCall, type Masker } from "../../platform/index.ts";
import type { LogSink, RunnerCaller } from "../../worker/runner/index.ts";
import type { Reader } from "./database-caller.ts";

export type DebugMemory = {
  /** A caller for one task instance; its writes stay in this process. */
  callerFor(instance: DebugInstance, log: LogSink): RunnerCaller;
  setXcom(instance: DebugInstance, key: string, value: JsonValue): void;
  /** A new try starts without the XComs of the previous one. */
  forgetXcoms(instance: DebugInstance): void;
  /** The values of a task's instances under a key, in the order of their map indexes. */
  xcomsOf(taskId: string, key: string): JsonValue[];
};

export type DebugInstance = { readonly taskId: string; readonly mapIndex: number };
type Answers = { [M in RunnerMethod]: (params: RunnerCalls[M]["params"]) => Promise<RunnerCalls[M]["result"]> };

/**
 * The platform for one run that leaves no traces: the XComs and variables that it writes are stored here, everything else is read
 * from the database. A DAG that it triggers is not run; such a run has the state `success`, so that no task waits for it.
 */
export function createDebugMemory(run: { dagId: string; runId: string }, read: Reader, masker: Masker): DebugMemory {
  /** Task id → map index → key → value. */
  const xcoms = new Map<string, Map<number, Map<string, JsonValue>>>();
  /** null = deleted. */
  const variables = new Map<string, string | null>();
  const triggered = new Set<string>();

  const setXcom = ({ taskId, mapIndex }: DebugInstance, key: string, value: JsonValue) => {
    const ofTask = xcoms.get(taskId) ?? new Map<number, Map<string, JsonValue>>();
    const ofInstance = ofTask.get(mapIndex) ?? new Map<string, JsonValue>();
    xcoms.set(taskId, ofTask.set(mapIndex, ofInstance.set(key, value)));
  };
  const xcomsOf = (taskId: string, key: string) =>
    [...(xcoms.get(taskId) ?? [])]
      .sort(([left], [right]) => left - right)
      .flatMap(([, ofInstance]) => {
        const value = ofInstance.get(key);
        return value === undefined ? [] : [value];
      });
  const nameOf = (dagId: string, runId: string) => `${dagId} ${runId}`;

  const answersFor = (instance: DebugInstance, log: LogSink): Answers => ({
    async getXcom(params) {
      if (params.dagId !== run.dagId || params.runId !== run.runId) return read("getXcom", params);
      const value = xcoms.get(params.taskId)?.get(params.mapIndex)?.get(params.key);
      return value === undefined ? { found: false, value: null } : { found: true, value };
    },
    async getXcomPage(params) {
      if (params.dagId !== run.dagId || params.runId !== run.runId) return read("getXcomPage", params);
      return { values: xcomsOf(params.taskId, params.key), next: null };
    },
    async setXcom({ key, value }) {
      setXcom(instance, key, value);
      return null;
    },
    getConnection: (params) => read("getConnection", params),
    async getVariable(params) {
      const kept = variables.get(params.key);
      if (kept !== undefined) return kept === null ? null : { value: kept };
      return read("getVariable", params);
    },
    async setVariable({ key, value }) {
      variables.set(key, value);
      log({ level: "info", message: `variable "${key}" is set for this test only` });
      return null;
    },
    async deleteVariable({ key }) {
      variables.set(key, null);
      log({ level: "info", message: `variable "${key}" is deleted for this test only` });
      return null;
    },
    async triggerDagRun({ dagId, runId }) {
      const newRunId = runId ?? `manual__${new Date().toISOString()}`;
      triggered.add(nameOf(dagId, newRunId));
      log({ level: "warn", message: `DAG "${dagId}" is not run: a test creates no runs. Its run counts as success.` });
      return { runId: newRunId, created: true };
    },
    async getDagRunState(params) {
      if (triggered.has(nameOf(params.dagId, params.runId))) return { state: "success" satisfies DagRunState };
      return read("getDagRunState", params);
    },
    // A test's run belongs to no schedule: it is the latest.
    getNextRunAfter: async () => null,
    getTaskStates: (params) => read("getTaskStates", params),
    putRenderedFields: async () => null,
    maskSecret: async () => null,
  });

  return {
    setXcom,
    xcomsOf,
    forgetXcoms: ({ taskId, mapIndex }) => void xcoms.get(taskId)?.delete(mapIndex),
    callerFor(instance, log) {
      const answers = answersFor(instance, log);
      return {
        call(method, params) {
          learnFromCall(masker, method, params, null);
          return answers[method](params);
        },
      };
    },
  };
}
