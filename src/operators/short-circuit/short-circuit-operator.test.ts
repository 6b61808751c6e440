import { describe, expect, it } from "vitest";
import { define, runOneTask } from "../../../tests/support/run-one-task.ts";
import { chain } from "../../sdk/index.ts";
import { EmptyOperator } from "../empty/empty-operator.ts";
import { ShortCircuitOperator, shortCircuit } from "./short-circuit-operator.ts";

const defineCheck = (holds: boolean, ignoreDownstreamTriggerRules?: boolean) =>
  define(() => {
    const check = new ShortCircuitOperator({ taskId: "check", condition: () => holds, ignoreDownstreamTriggerRules });
    const cleanup = new EmptyOperator({ taskId: "cleanup", isTeardown: true });
    chain(check, new EmptyOperator({ taskId: "a" }), new EmptyOperator({ taskId: "b" }), cleanup);
  });

describe("a short circuit", () => {
  it("goes on when its condition holds", async () => {
    const { outcome } = await runOneTask(defineCheck(true));
    expect(outcome).toMatchObject({ skipTasks: [], xcoms: [{ key: "return_value", value: true }] });
  });

  it("skips all that is downstream but teardowns, or only the direct tasks, and keeps the decision", async () => {
    const all = await runOneTask(defineCheck(false));
    expect(all.outcome).toMatchObject({ skipTasks: ["a", "b"] });
    expect(all.outcome).toMatchObject({
      xcoms: [
        { key: "return_value", value: false },
        { key: "skipmixin_key", value: { skipped: ["a", "b"] } },
      ],
    });
    expect((await runOneTask(defineCheck(false, false))).outcome).toMatchObject({ skipTasks: ["a"] });
  });

  it("is a typed function, too", async () => {
    const definition = define(() => {
      const check = shortCircuit({ taskId: "check", ignoreDownstreamTriggerRules: false }, (_ctx, rows: number) => rows > 0);
      chain(check(0), new EmptyOperator({ taskId: "a" }), new EmptyOperator({ taskId: "b" }));
    });
    expect((await runOneTask(definition)).outcome).toMatchObject({ skipTasks: ["a"] });
  });
});
