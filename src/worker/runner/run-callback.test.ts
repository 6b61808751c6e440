import { describe, expect, it, vi } from "vitest";
import { dagRunFacts, fakeCaller } from "../../../tests/support/run-one-task.ts";
import { type CallbackRequest, callbackRequestSchema } from "../../contracts/index.ts";
import { createMasker } from "../../platform/index.ts";
import { type DagDefinition, dag, task } from "../../sdk/index.ts";
import { runCallback } from "./run-callback.ts";

const run = (definition: DagDefinition, request: CallbackRequest) =>
  runCallback({
    dag: definition,
    request: callbackRequestSchema.parse(request),
    caller: fakeCaller().caller,
    masker: createMasker(),
    log: () => {},
    signal: new AbortController().signal,
    now: () => 0,
  });
const ti = { id: "0193f7a0-0000-7000-8000-000000000000", taskId: "t", mapIndex: -1, tryNumber: 2, maxTries: 3, startDate: null };

describe("runCallback", () => {
  it("runs a DAG's callback with the run and the reason", async () => {
    const onFailure = vi.fn();
    const definition = dag({ dagId: "d", onFailure }, () => {});
    const request: CallbackRequest = { kind: "dag", callback: "onFailure", dagRun: dagRunFacts, reason: "task_failure" };
    expect(await run(definition, request)).toEqual({ ran: 1, failed: 0 });
    expect(onFailure.mock.calls[0]?.[0]).toMatchObject({ reason: "task_failure", run: { runId: "manual__1" } });
  });

  it("runs a task's callback for a try whose worker died", async () => {
    const onRetry = vi.fn();
    const definition = dag({ dagId: "d" }, () => void task({ taskId: "t", onRetry }, () => 1)());
    await run(definition, { kind: "task", callback: "onRetry", dagRun: dagRunFacts, ti, reason: "no heartbeat" });
    expect(onRetry.mock.calls[0]?.[0]).toMatchObject({ error: { message: "no heartbeat" }, ti: { tryNumber: 2 } });
  });

  it("counts failures, and runs nothing for a task that is gone", async () => {
    const onFailure = () => Promise.reject(new Error("x"));
    const definition = dag({ dagId: "d" }, () => void task({ taskId: "t", onFailure }, () => 1)());
    const request: CallbackRequest = { kind: "task", callback: "onFailure", dagRun: dagRunFacts, ti, reason: "r" };
    expect(await run(definition, request)).toEqual({ ran: 1, failed: 1 });
    expect(await run(definition, { ...request, ti: { ...ti, taskId: "gone" } })).toEqual({ ran: 0, failed: 0 });
  });
});
