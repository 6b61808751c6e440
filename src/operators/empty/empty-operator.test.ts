import { expect, it } from "vitest";
import { define, runOneTask } from "../../../tests/support/run-one-task.ts";
import { serializeDag } from "../../sdk/runtime.ts";
import { EmptyOperator } from "./empty-operator.ts";

it("is nothing to run without callbacks, and runs as a task with one", async () => {
  const definition = define(() => {
    new EmptyOperator({ taskId: "a" });
    new EmptyOperator({ taskId: "b", onSuccess: () => {} });
  });
  expect(serializeDag(definition).tasks.map((each) => each.isEmpty)).toEqual([true, false]);
  expect((await runOneTask(definition, { taskId: "b" })).outcome).toMatchObject({ state: "success", xcoms: [] });
});
