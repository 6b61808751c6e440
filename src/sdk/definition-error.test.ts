import { describe, expect, it } from "vitest";
import { BashOperator, EmptyOperator } from "../operators/index.ts";
import {
  BaseSensor,
  BaseTrigger,
  chain,
  type DagOptions,
  DateTimeTrigger,
  dag,
  delta,
  param,
  registerTrigger,
  TriggerEvent,
  task,
  taskGroup,
  template,
  type XComArg,
} from "./index.ts";
import { collectDags } from "./runtime.ts";

const empty = (taskId: string) => new EmptyOperator({ taskId });
const noop = (taskId: string) => task({ taskId }, async (_ctx, ..._inputs: unknown[]) => taskId);
const inDag = (body: () => void, options: Partial<DagOptions> = {}) => dag({ dagId: "d", ...options }, body);
// Casts values that a JavaScript author could pass and TypeScript rejects.
const untyped = <T>(value: unknown) => value as T;

const wrong: [name: string, code: string, message: string | RegExp, run: () => unknown][] = [
  ["a cycle, named whole", "DAG_CYCLE", "a -> b -> c -> a", () => inDag(() => chain(empty("b"), empty("c"), empty("a"), "b"))],
  ["a cycle beside a long chain", "DAG_CYCLE", "x -> y -> x", () => inDag(() => chain(empty("a"), empty("x"), empty("y"), "x"))],
  [
    "a task before itself",
    "TASK_UPSTREAM_OF_ITSELF",
    '"a" is upstream of itself',
    () => inDag(() => void empty("a").before("a")),
  ],
  [
    "a task linked with its own group",
    "TASK_UPSTREAM_OF_ITSELF",
    '"g.a" is linked with the task group "g"',
    () => inDag(() => taskGroup("g", () => empty("a")).before("g.a")),
  ],
  ["a duplicate task id", "TASK_DUPLICATE_ID", 'has a task with the id "a"', () => inDag(() => [empty("a"), empty("a")])],
  ["a group named as a task", "TASK_DUPLICATE_ID", '"a"', () => inDag(() => [empty("a"), taskGroup("a", () => {})])],
  ["a bad task id", "INVALID_ID", '"a b" is not allowed', () => inDag(() => empty("a b"))],
  ["an empty DAG id", "INVALID_ID", 'dagId "" is not allowed', () => dag({ dagId: "" }, () => {})],
  ["a DAG id that no path can name", "INVALID_ID", 'dagId "." is not allowed', () => dag({ dagId: "." }, () => {})],
  ["a task id that no path can name", "INVALID_ID", /".." is not allowed.*not '.' or '..'/, () => inDag(() => empty(".."))],
  ["a group id that no path can name", "INVALID_ID", '"." is not allowed', () => inDag(() => taskGroup(".", () => {}))],
  ["a long id", "INVALID_ID", "it has 251 characters", () => inDag(() => empty("x".repeat(251)))],
  [
    "an id too long with its group",
    "INVALID_ID",
    "it has 252 characters",
    () => inDag(() => taskGroup("g", () => empty("x".repeat(250)))),
  ],
  [
    "an unknown upstream, with those there are",
    "TASK_UNKNOWN_UPSTREAM",
    /"b", but .* it has a$/,
    () => inDag(() => void empty("a").after("b")),
  ],
  [
    "an unknown trigger rule",
    "TASK_INVALID_OPTION",
    /task "a" of DAG "d": triggerRule is "some_success", but it must be one of all_success/,
    () => inDag(() => new EmptyOperator({ taskId: "a", triggerRule: untyped("some_success") })),
  ],
  [
    "an unknown weight rule",
    "TASK_INVALID_OPTION",
    "downstream, upstream, absolute",
    () => inDag(() => new EmptyOperator({ taskId: "a", weightRule: untyped("heavy") })),
  ],
  [
    "a schedule, and a param that its runs could not have",
    "INVALID_PARAM",
    'DAG "d" has the schedule @daily, but no default for its param "region": scheduled runs have no conf. Give it a default, or leave the schedule out',
    () => inDag(() => {}, { schedule: "@daily", params: { region: param(undefined), size: 1 } }),
  ],
  [
    "the same of @once and several params",
    "INVALID_PARAM",
    'has the schedule @once, but no default for its params "a", "b"',
    () =>
      inDag(() => {}, {
        schedule: "@once",
        params: { b: param(undefined), a: param(undefined, { schema: { type: "integer" } }) },
      }),
  ],
  [
    "negative retries",
    "TASK_INVALID_OPTION",
    "retries is -1",
    () => inDag(() => new EmptyOperator({ taskId: "a", retries: -1 })),
  ],
  [
    "a duration as a number, with the right text",
    "INVALID_DURATION",
    '300 seconds are "300s"',
    () => inDag(() => new EmptyOperator({ taskId: "a", retryDelay: untyped(300) })),
  ],
  [
    "a bad duration",
    "INVALID_DURATION",
    '"5 fortnights"',
    () => inDag(() => new EmptyOperator({ taskId: "a", retryDelay: "5 fortnights" })),
  ],
  [
    "a bad unit",
    "INVALID_DURATION",
    "retryDelay",
    () => inDag(() => new EmptyOperator({ taskId: "a", retryDelay: untyped({ minute: 5 }) })),
  ],
  ["a bad instant", "INVALID_INSTANT", 'startDate: "01/02/2024"', () => inDag(() => {}, { startDate: "01/02/2024" })],
  [
    "an end before the start",
    "DAG_INVALID_OPTION",
    "before startDate",
    () => inDag(() => {}, { startDate: "2024-02-01", endDate: "2024-01-01" }),
  ],
  ["a bad time zone", "INVALID_TIMEZONE", '"Mars/Base"', () => inDag(() => {}, { timezone: "Mars/Base" })],
  ["a duration as schedule", "INVALID_SCHEDULE", 'write delta("30m")', () => inDag(() => {}, { schedule: "30m" })],
  ["an unknown preset", "INVALID_SCHEDULE", "the presets are @once", () => inDag(() => {}, { schedule: "@dayly" })],
  ["a schedule without distance", "INVALID_SCHEDULE", "above zero", () => delta("0s")],
  [
    "@continuous with several runs",
    "DAG_INVALID_OPTION",
    "one run at a time",
    () => inDag(() => {}, { schedule: "@continuous", maxActiveRuns: 2 }),
  ],
  [
    "a default that is none of the values allowed",
    "INVALID_PARAM",
    'param region: the default "asia" does not fit its schema: it must be one of "eu", "us"',
    () => inDag(() => {}, { params: { region: param("asia", { schema: { enum: ["eu", "us"] } }) } }),
  ],
  [
    "a default that does not fit its schema",
    "INVALID_PARAM",
    'param limit: the default "x" does not fit its schema: it must be integer',
    () => inDag(() => {}, { params: { limit: param("x", { schema: { type: "integer" } }) } }),
  ],
  [
    "a schema that is none",
    "INVALID_PARAM",
    "is not a JSON schema",
    () => inDag(() => {}, { params: { limit: param(1, { schema: { type: "intejer" } }) } }),
  ],
  [
    "a schema with a pattern that cannot be matched in linear time",
    "INVALID_PARAM",
    'param name: the pattern "(?=a)b" cannot be used: patterns are matched in linear time, without lookaheads',
    () => inDag(() => {}, { params: { name: param("b", { schema: { pattern: "(?=a)b" } }) } }),
  ],
  [
    "a default that is not JSON",
    "INVALID_PARAM",
    ".at is a Date",
    () => inDag(() => {}, { params: { x: untyped({ at: new Date() }) } }),
  ],
  ["an operator outside of a DAG", "TASK_OUTSIDE_DAG", 'EmptyOperator "a" was created outside', () => empty("a")],
  ["a task function called outside of a DAG", "TASK_OUTSIDE_DAG", 'task "a" was created outside', () => noop("a")()],
  ["a DAG inside of a DAG", "DAG_NESTED", 'inside the body of DAG "d"', () => inDag(() => void inDag(() => {}))],
  ["an async body", "DAG_BODY_ASYNC", "its body is async", () => inDag(async () => {})],
  ["a result of another DAG", "TASK_OF_ANOTHER_DAG", '"x" of DAG "other"', () => inDag(() => void noop("a")(resultOfOther()))],
  [
    "an edge to another DAG",
    "TASK_OF_ANOTHER_DAG",
    '"x" of DAG "other"',
    () => inDag(() => void empty("a").after(resultOfOther())),
  ],
  [
    "an argument that is not JSON, by its path",
    "TASK_ARGUMENT_NOT_JSON",
    'task "a": argument 2 at .since is a Date',
    () => inDag(() => void noop("a")(1, { since: new Date() })),
  ],
  [
    "a result in an option that is never rendered",
    "FIELD_NOT_TEMPLATED",
    "BashOperator does not render that option (it renders: bashCommand, env, cwd)",
    () => inDag(() => new BashOperator({ taskId: "a", bashCommand: "x", appendEnv: untyped(template("{{ 1 }}")) })),
  ],
  [
    "a chain of unequal lists",
    "INVALID_CHAIN",
    "2 and 1 tasks",
    () => inDag(() => chain([empty("a"), empty("b")], [empty("c")])),
  ],
  [
    "a chain of a function that was not called",
    "INVALID_CHAIN",
    "extract() not extract",
    () => inDag(() => chain(empty("a"), untyped(noop("b")))),
  ],
  [
    "an edge to an empty group",
    "INVALID_CHAIN",
    '"g" is linked, but has no tasks',
    () => inDag(() => void empty("a").before(taskGroup("g", () => {}))),
  ],
  [
    "a deferrable sensor without a trigger, with the remedy",
    "SENSOR_NOT_DEFERRABLE",
    'use mode: "reschedule"',
    () => inDag(() => new Never({ taskId: "a", mode: "deferrable" })),
  ],
  [
    "a trigger's name that is one of ours",
    "TRIGGER_INVALID",
    "do not begin with baram.triggers.",
    () => registerTrigger("baram.triggers.Mine", Waits),
  ],
  ["a trigger that is no class of one", "TRIGGER_INVALID", "extends BaseTrigger", () => registerTrigger("T", untyped(class {}))],
  [
    "a trigger's options that are no JSON",
    "TRIGGER_OPTIONS_NOT_JSON",
    "options.at are a Date",
    () => void new Waits({ at: untyped(new Date()) }),
  ],
  [
    "an instant without a zone",
    "INVALID_INSTANT",
    "with a zone",
    () => void new DateTimeTrigger({ moment: "2024-01-01T00:00:00" }),
  ],
  [
    "a callback that is no function",
    "TASK_INVALID_OPTION",
    "onFailure",
    () => inDag(() => new EmptyOperator({ taskId: "a", onFailure: untyped("mail") })),
  ],
];

class Waits extends BaseTrigger<object> {
  async run() {
    return new TriggerEvent();
  }
}

class Never extends BaseSensor {
  async poke() {
    return false;
  }
}

// Defined before the other DAG, since nesting DAGs is an error of its own.
const outputs: XComArg<undefined>[] = [];
dag({ dagId: "other" }, () => void outputs.push(empty("x").output));
function resultOfOther(): XComArg<undefined> {
  const [output] = outputs;
  if (output === undefined) throw new Error("the other DAG made no task");
  return output;
}

describe("a wrong definition", () => {
  it.each(wrong)("%s → %s", (_name, code, message, run) => {
    let thrown: unknown;
    try {
      run();
    } catch (error) {
      thrown = error;
    }
    expect(thrown).toMatchObject({ name: "DagDefinitionError", code });
    expect(thrown instanceof Error ? thrown.message : "").toMatch(message);
  });

  it("leaves nothing open for the next DAG", () => {
    expect(() => inDag(() => empty("bad id"))).toThrow();
    expect(() => inDag(() => empty("good"))).not.toThrow();
    expect(() => empty("outside")).toThrow("outside of a DAG");
  });

  it("with two DAGs of one id in a file fails the file", async () => {
    const load = async () => {
      inDag(() => {});
      inDag(() => {});
    };
    await expect(collectDags(load)).rejects.toMatchObject({ code: "DAG_DUPLICATE_ID" });
  });
});
