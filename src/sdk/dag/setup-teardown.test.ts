import { describe, expect, it } from "vitest";
import { EmptyOperator } from "../../operators/index.ts";
import { chain, type DagDefinition, dag, task, taskGroup } from "../index.ts";
import { serializeDag } from "../runtime.ts";

const empty = (taskId: string, options: object = {}) => new EmptyOperator({ taskId, ...options });
const edgesOf = (definition: DagDefinition) =>
  Object.fromEntries(serializeDag(definition).tasks.map((each) => [each.taskId, each.upstream]));
const define = (body: () => void, options: object = {}) => dag({ dagId: "d", ...options }, body);

describe("setups and teardowns", () => {
  it("asTeardown marks its setups, puts them before itself, and takes the rule of teardowns", () => {
    const definition = define(() => {
      const make = task({ taskId: "make" }, async () => "cluster");
      const drop = task({ taskId: "drop", triggerRule: "all_done" }, async (_ctx, _name: string) => {});
      const made = make();
      drop("x").asTeardown({ setups: [made, empty("other")], onFailureFailDagrun: true });
    });
    const facts = Object.fromEntries(serializeDag(definition).tasks.map((each) => [each.taskId, each]));
    expect(facts.make).toMatchObject({ isSetup: true, isTeardown: false, upstream: [] });
    expect(facts.other).toMatchObject({ isSetup: true });
    expect(facts.drop).toMatchObject({
      isTeardown: true,
      onFailureFailDagrun: true,
      triggerRule: "all_done_setup_success",
      upstream: ["make", "other"],
    });
  });

  it("around() puts the work between, by its first and last tasks, and gives back what the body gives", () => {
    let result = 0;
    const definition = define(() => {
      const setup = empty("setup");
      const teardown = empty("teardown").asTeardown({ setups: setup });
      result = teardown.around(() => {
        chain(empty("a"), [empty("b"), empty("c")]);
        empty("alone");
        return 7;
      });
      empty("outside");
    });
    expect(result).toBe(7);
    expect(edgesOf(definition)).toEqual({
      setup: [],
      a: ["setup"],
      b: ["a"],
      c: ["a"],
      alone: ["setup"],
      teardown: ["alone", "b", "c", "setup"],
      outside: [],
    });
  });

  it("scopes nest, and reach into groups", () => {
    const definition = define(() => {
      const outer = empty("outer_down").asTeardown({ setups: empty("outer_up") });
      outer.around(() => {
        const inner = empty("inner_down").asTeardown({ setups: empty("inner_up") });
        inner.around(() => taskGroup("g", () => chain(empty("a"), empty("b"))));
      });
    });
    expect(edgesOf(definition)).toEqual({
      outer_up: [],
      inner_up: ["outer_up"],
      "g.a": ["inner_up"],
      "g.b": ["g.a"],
      inner_down: ["g.b", "inner_up"],
      outer_down: ["inner_down", "outer_up"],
    });
  });

  it("what follows a group waits neither for its teardown nor for a setup that only a teardown follows", () => {
    const definition = define(() => {
      const group = taskGroup("g", () => {
        const down = empty("down").asTeardown({ setups: empty("up") });
        down.around(() => empty("work"));
        empty("idle_down").asTeardown({ setups: empty("idle_up") });
      });
      group.before(empty("after"));
      empty("before").before(group);
    });
    expect(edgesOf(definition)).toMatchObject({
      after: ["g.work"],
      "g.up": ["before"],
      "g.idle_up": ["before"],
      "g.work": ["g.up"],
      "g.down": ["g.up", "g.work"],
    });
  });

  it.each<[string, () => void, string]>([
    ["both at once", () => empty("t", { isSetup: true, isTeardown: true }), "both a setup and a teardown"],
    ["a teardown made a setup", () => empty("t").asTeardown().asSetup(), "both a setup and a teardown"],
    ["onFailureFailDagrun alone", () => empty("t", { onFailureFailDagrun: true }), "which is only for teardowns"],
    [
      "another rule after a setup",
      () =>
        empty("up")
          .asSetup()
          .before(empty("t", { triggerRule: "all_done" })),
      'comes after the setup "up" with the trigger rule all_done',
    ],
    ["around() of no teardown", () => empty("t").around(() => {}), "is no teardown"],
    [
      "around() without a setup",
      () =>
        empty("t")
          .asTeardown()
          .around(() => empty("w")),
      "has no setup",
    ],
  ])("are refused: %s", (_name, body, message) => {
    expect(() => define(body)).toThrow(expect.objectContaining({ code: "SETUP_TEARDOWN_INVALID" }));
    expect(() => define(body)).toThrow(message);
  });

  it("refuses a teardown's own trigger rule, and lets defaultArgs have one for the others", () => {
    expect(() => define(() => empty("t", { isTeardown: true, triggerRule: "all_done" }))).toThrow("a teardown always has");
    const definition = define(() => empty("t", { isTeardown: true }), { defaultArgs: { triggerRule: "none_failed" } });
    expect(serializeDag(definition).tasks[0]?.triggerRule).toBe("all_done_setup_success");
  });
});

describe("failFast", () => {
  it("goes with all_success and teardowns only", () => {
    const options = { failFast: true };
    define(() => empty("down").asTeardown({ setups: empty("up") }), options);
    expect(() => define(() => empty("t", { triggerRule: "all_done" }), options)).toThrow(
      'failFast allows the trigger rule all_success only, but task "t" has all_done',
    );
  });
});
