import { expect, it } from "vitest";
import { define, runOneTask } from "../../../tests/support/run-one-task.ts";
import { chain } from "../../sdk/index.ts";
import { EmptyOperator } from "../empty/empty-operator.ts";
import { LatestOnlyOperator } from "./latest-only-operator.ts";

// latest → [a, b], a → c
const definition = define(() => {
  const a = new EmptyOperator({ taskId: "a" });
  chain(new LatestOnlyOperator({ taskId: "latest" }), [a, new EmptyOperator({ taskId: "b" })]);
  a.before(new EmptyOperator({ taskId: "c" }));
});
// The fake clock is fixed at 2024-01-31T00:00:02Z.
const run = (runType: "scheduled" | "backfill" | "manual", runAfter: string | null) =>
  runOneTask(definition, {
    taskId: "latest",
    dagRun: { runType },
    handlers: { getNextRunAfter: () => ({ runAfter }) },
  });

it.each(["scheduled", "backfill"] as const)(
  "skips what follows directly in a %s run that the schedule left behind",
  async (type) => {
    const { outcome } = await run(type, "2024-01-31T00:00:01Z");
    expect(outcome).toMatchObject({ state: "success", skipTasks: ["a", "b"] });
    expect(outcome).toMatchObject({ xcoms: expect.arrayContaining([{ key: "skipmixin_key", value: { followed: [] } }]) });
  },
);

it.each(["2024-01-31T00:00:02Z", "2024-02-01T00:00:00Z", null])("goes on while the next run is due at %s", async (runAfter) => {
  expect((await run("scheduled", runAfter)).outcome).toMatchObject({ state: "success", skipTasks: [] });
});

it("always goes on in a manual run, and asks nobody", async () => {
  const { outcome, asked } = await run("manual", "2024-01-31T00:00:01Z");
  expect(outcome).toMatchObject({ state: "success", skipTasks: [] });
  expect(asked.map(({ method }) => method)).not.toContain("getNextRunAfter");
});
