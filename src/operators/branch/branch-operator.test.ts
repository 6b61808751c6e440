import { describe, expect, it } from "vitest";
import { define, failureOf, runOneTask } from "../../../tests/support/run-one-task.ts";
import { chain, taskGroup } from "../../sdk/index.ts";
import { EmptyOperator } from "../empty/empty-operator.ts";
import { BranchOperator, branch } from "./branch-operator.ts";
import type { BranchChoice } from "./follow-branch.ts";

const empty = (taskId: string) => new EmptyOperator({ taskId });

// pick → left → join, pick → right → join, pick → join, pick → group(first → second)
const definePick = (choice: BranchChoice) =>
  define(() => {
    const pick = new BranchOperator({ taskId: "pick", choose: () => choice });
    const [left, right, join] = [empty("left"), empty("right"), empty("join")];
    chain(pick, [left, right], join);
    pick.before(join);
    pick.before(taskGroup("group", () => chain(empty("first"), empty("second"))));
  });

describe("a branch", () => {
  it.each([
    ["left", ["group.first", "right"], ["join", "left"]],
    [["left", "right"], ["group.first"], ["join", "left", "right"]],
    ["group", ["join", "left", "right"], ["group.first"]],
    [null, ["group.first", "join", "left", "right"], []],
    [[], ["group.first", "join", "left", "right"], []],
  ])(
    "choosing %j skips the others, save what the chosen lead to, and keeps the decision",
    async (choice, skipTasks, followed) => {
      const { outcome } = await runOneTask(definePick(choice), { taskId: "pick" });
      expect(outcome).toMatchObject({ state: "success", skipTasks });
      expect(outcome).toMatchObject({ xcoms: expect.arrayContaining([{ key: "skipmixin_key", value: { followed } }]) });
    },
  );

  it.each([
    ["nowhere", 'chose "nowhere", which the DAG does not have'],
    ["group.second", 'chose "group.second", which is not directly downstream'],
  ])("choosing %s fails and names the choices", async (choice, message) => {
    const { error } = failureOf((await runOneTask(definePick(choice), { taskId: "pick" })).outcome);
    expect(error.message).toContain(message);
    expect(error.message).toContain("group.first, join, left, right");
  });

  it("is a typed function, too", async () => {
    const definition = define(() => {
      const pick = branch({ taskId: "pick" }, (_ctx, rows: number) => (rows > 2 ? "load" : "stop"));
      chain(pick(3), [empty("load"), empty("stop")]);
    });
    expect((await runOneTask(definition)).outcome).toMatchObject({ skipTasks: ["stop"] });
  });
});
