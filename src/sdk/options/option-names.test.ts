import { describe, expect, it } from "vitest";
import * as operators from "../../operators/index.ts";
import { BashOperator, branch, EmptyOperator, FileSensor, sensor, shortCircuit } from "../../operators/index.ts";
import * as slack from "../../providers/slack/index.ts";
import { SlackWebhookNotifier } from "../../providers/slack/index.ts";
import * as smtp from "../../providers/smtp/index.ts";
import {
  BaseNotifier,
  BaseOperator,
  BaseSensor,
  cron,
  crons,
  type DagOptions,
  DateTimeTrigger,
  dag,
  defer,
  delta,
  events,
  HttpTrigger,
  param,
  task,
  taskGroup,
} from "../index.ts";
import { declaredOptions } from "./declared-options.ts";

// Casts values that a JavaScript author could pass and TypeScript rejects.
const untyped = <T>(value: object) => value as T;
const inDag = (body: () => unknown, options: object = {}) => dag({ dagId: "d", ...options } as DagOptions, () => void body());

function messageOf(run: () => unknown): string {
  try {
    run();
  } catch (error) {
    expect(error).toMatchObject({ name: "DagDefinitionError", code: "UNKNOWN_OPTION" });
    return (error as Error).message;
  }
  throw new Error("nothing was refused");
}

describe("an unknown option is refused, with what was meant:", () => {
  it.each<[what: string, message: string, run: () => unknown]>([
    [
      "of a DAG, all of them",
      'DAG "d" has unknown options: "scheduleInterval" (did you mean "schedule"?), "start_date" (did you mean "startDate"?), "retries" (an option of tasks: give it to each, or to all by defaultArgs: { retries: … })',
      () => inDag(() => {}, { scheduleInterval: "@daily", start_date: "2026-01-01", retries: 1 }),
    ],
    [
      "Airflow's old name",
      'DAG "d" has an unknown option: "schedule_interval" (did you mean "schedule"?)',
      () => inDag(() => {}, { schedule_interval: "@daily" }),
    ],
    [
      "the id itself",
      'dag() has an unknown option: "dag_id" (did you mean "dagId"?)',
      () => dag(untyped({ dag_id: "d" }), () => {}),
    ],
    [
      "of Airflow's DAGs only",
      '"access_control" (an option of Airflow; a user\'s role counts for all DAGs, see docs/production.md), "userDefinedMacros" (an option of Airflow; templates have',
      () => inDag(() => {}, { access_control: {}, userDefinedMacros: {} }),
    ],
    [
      "of Airflow's tasks only",
      '"run_as_user" (an option of Airflow; the operator of the installation sets the user by [workers] run_as_user_of_dags), "sla" (an option of Airflow; limit',
      () => inDag(() => new EmptyOperator(untyped({ taskId: "e", run_as_user: "etl", sla: "1h" }))),
    ],
    [
      "of Airflow's tasks only, in defaultArgs",
      'defaultArgs has an unknown option: "runAsUser" (an option of Airflow; the operator',
      () => inDag(() => {}, { defaultArgs: untyped({ runAsUser: "etl" }) }),
    ],
    ["no object", 'dag() takes an object of options, not "d"', () => dag("d" as unknown as DagOptions, () => {})],
    [
      "of an operator",
      'EmptyOperator "e" of DAG "d" has unknown options: "retry" (did you mean "retries"?), "trigger_rule" (did you mean "triggerRule"?)',
      () => inDag(() => new EmptyOperator(untyped({ taskId: "e", retry: 1, trigger_rule: "all_done" }))),
    ],
    [
      "of an operator's own",
      'BashOperator "b" of DAG "d" has an unknown option: "bashComand" (did you mean "bashCommand"?)',
      () => inDag(() => new BashOperator(untyped({ taskId: "b", bashComand: "ls" }))),
    ],
    [
      "one that nothing is like",
      '"provideContext"',
      () => inDag(() => new EmptyOperator(untyped({ taskId: "e", provideContext: true }))),
    ],
    [
      "of an operator's id",
      'EmptyOperator of DAG "d" has an unknown option: "task_id" (did you mean "taskId"?)',
      () => inDag(() => new EmptyOperator(untyped({ task_id: "e" }))),
    ],
    [
      "of a DAG or a sensor, given to a task",
      '"schedule" (an option of dag()), "mode" (an option of sensors)',
      () => inDag(() => new EmptyOperator(untyped({ taskId: "e", schedule: "@daily", mode: "poke" }))),
    ],
    [
      "of a sensor",
      'FileSensor "f" of DAG "d" has unknown options: "poke_interval" (did you mean "pokeInterval"?), "deferrable" (did you mean "mode"?)',
      () => inDag(() => new FileSensor(untyped({ taskId: "f", path: "/x", poke_interval: "1m", deferrable: true }))),
    ],
    [
      "of a task",
      'task "t" has an unknown option: "retires" (did you mean "retries"?)',
      () => task(untyped({ taskId: "t", retires: 1 }), () => 1),
    ],
    [
      "what only the task itself sets",
      'task "t" has an unknown option: "fn"',
      () => task(untyped({ taskId: "t", fn: 1 }), () => 1),
    ],
    [
      "of a sensor function",
      '"pokeInterva" (did you mean "pokeInterval"?)',
      () => sensor(untyped({ taskId: "t", pokeInterva: "1m" }), () => true),
    ],
    ["of a branch", '"pol" (did you mean "pool"?)', () => branch(untyped({ taskId: "t", pol: "a" }), () => "a")],
    [
      "of a short circuit",
      '"ignoreDownstreamTriggerRule" (did you mean "ignoreDownstreamTriggerRules"?)',
      () => shortCircuit(untyped({ taskId: "t", ignoreDownstreamTriggerRule: true }), () => true),
    ],
    [
      "of override",
      'task "t" has an unknown option: "pool_slots" (did you mean "poolSlots"?)',
      () => task({ taskId: "t" }, () => 1).override(untyped({ pool_slots: 2 })),
    ],
    [
      "of partial",
      'BashOperator "b" has an unknown option: "appendenv" (did you mean "appendEnv"?)',
      () => inDag(() => BashOperator.partial(untyped<{ taskId: string }>({ taskId: "b", appendenv: true }))),
    ],
    [
      "of expand",
      'BashOperator "b" has an unknown option: "bash_command" (did you mean "bashCommand"?)',
      () => inDag(() => BashOperator.partial({ taskId: "b" }).expand(untyped({ bash_command: ["ls"] }))),
    ],
    [
      "of an element of expandKwargs",
      'BashOperator "b" has an unknown option: "bash_command" (did you mean "bashCommand"?)',
      () => inDag(() => BashOperator.partial({ taskId: "b" }).expandKwargs(untyped([{ bash_command: "ls" }]))),
    ],
    [
      "of a group",
      'task group "g" has an unknown option: "tool_tip" (did you mean "tooltip"?)',
      () => inDag(() => taskGroup(untyped<{ groupId: string }>({ groupId: "g", tool_tip: "x" }), () => {})),
    ],
    [
      "of defaultArgs",
      'DAG "d": defaultArgs has unknown options: "depends_on_past" (did you mean "dependsOnPast"?), "mode" (an option of sensors: give it to each of them), "taskId" (each task has its own)',
      () => inDag(() => {}, { defaultArgs: { depends_on_past: false, mode: "reschedule", taskId: "t" } }),
    ],
    [
      "of a group's defaultArgs",
      'task group "g": defaultArgs has an unknown option: "retires"',
      () => inDag(() => taskGroup({ groupId: "g", defaultArgs: untyped({ retires: 1 }) }, () => {})),
    ],
    [
      "of a param, as Airflow writes it",
      'param() has unknown options: "type" (part of the schema: { schema: { type: … } }), "minimum" (part of the schema: { schema: { minimum: … } })',
      () => param(1, untyped({ type: "integer", minimum: 1 })),
    ],
    ["of cron()", '"timeZone" (did you mean "timezone"?)', () => cron("0 * * * *", untyped({ timeZone: "UTC" }))],
    [
      "of crons()",
      '"interval_length"; it takes interval, runImmediately, timezone',
      () => crons(["0 * * * *"], untyped({ interval_length: "1h" })),
    ],
    ["of delta()", '"runImmediately"; it takes intervals, interval', () => delta("1h", untyped({ runImmediately: true }))],
    [
      "of events()",
      '"restrict_to_events" (did you mean "restrictToEvents"?)',
      () => events([], untyped({ restrict_to_events: true })),
    ],
    ["of defer()", '"time_out" (did you mean "timeout"?)', () => defer(untyped({ time_out: "1h" }))],
    [
      "of asTeardown()",
      '"setup" (did you mean "setups"?)',
      () => inDag(() => new EmptyOperator({ taskId: "e" }).asTeardown(untyped({ setup: [] }))),
    ],
    [
      "of a trigger",
      'HttpTrigger has an unknown option: "poll_interval" (did you mean "pollInterval"?)',
      () => new HttpTrigger(untyped({ url: "http://x", poll_interval: "1s" })),
    ],
    [
      "of another",
      'DateTimeTrigger has an unknown option: "momnt" (did you mean "moment"?)',
      () => new DateTimeTrigger(untyped({ momnt: "x" })),
    ],
    [
      "of a notifier",
      'SlackWebhookNotifier has an unknown option: "txt" (did you mean "text"?)',
      () => new SlackWebhookNotifier(untyped({ txt: "x" })),
    ],
  ])("%s", (_what, message, run) => expect(messageOf(run)).toContain(message));
});

it("every operator and notifier of this package says which options it has", () => {
  const classes = Object.values({ ...operators, ...slack, ...smtp }).filter((each) => "templateFields" in each);
  expect(classes.length).toBeGreaterThan(10);
  expect(classes.filter((each) => declaredOptions(each).isOpen)).toEqual([]);
});

describe("an author's own class", () => {
  class Load extends BaseOperator<{ table: string; poll: string; owners: string }, number, "table"> {
    static override readonly templateFields = ["table"];
    async execute() {
      return 1;
    }
  }
  class Strict extends BaseOperator<{ table: string; limit?: number }, number, "table"> {
    static override readonly templateFields = ["table"];
    static override readonly optionNames = ["limit"];
    async execute() {
      return 1;
    }
  }
  class Stricter extends Strict {
    static override readonly optionNames = ["offset"];
  }
  class Wait extends BaseSensor<{ path: string }> {
    static override readonly optionNames = ["path"];
    async poke() {
      return true;
    }
  }

  it("that does not say its options takes any, but none that is clearly a known one misspelled", () => {
    inDag(() => new Load(untyped({ taskId: "l", table: "t", poll: "1m", owners: "me", retry: 3 })));
    expect(messageOf(() => inDag(() => new Load(untyped({ taskId: "l", retires: 3, trigger_rule: "all_done" }))))).toBe(
      'Load "l" of DAG "d" has unknown options: "retires" (did you mean "retries"?), "trigger_rule" (did you mean "triggerRule"?); if the class has an option of that name, name it in its static optionNames',
    );
  });

  it("that does not say its options can have Airflow's, but none that seems to change the user", () => {
    inDag(() => new Load(untyped({ taskId: "l", table: "t", poll: "1m", owners: "me", inlets: [], params: {} })));
    expect(messageOf(() => inDag(() => new Load(untyped({ taskId: "l", run_as_user: "etl" }))))).toContain("run_as_user_of_dags");
  });

  it("that says them takes no others, and need not repeat template fields and a base class's", () => {
    inDag(() => new Strict({ taskId: "s", table: "t", limit: 1 }));
    inDag(() => new Stricter(untyped({ taskId: "s", table: "t", limit: 1, offset: 2 })));
    inDag(() => new Wait({ taskId: "w", path: "/x", pokeInterval: "1s" }));
    expect(messageOf(() => inDag(() => new Strict(untyped({ taskId: "s", table: "t", ofset: 1 }))))).toContain('"ofset"');
    expect(messageOf(() => inDag(() => new Wait(untyped({ taskId: "w", pth: "/x" }))))).toContain('did you mean "path"?');
  });

  it("of a notifier is held to the same", () => {
    class Page extends BaseNotifier<{ text: string }> {
      static override readonly templateFields = ["text"];
      static override readonly optionNames = [];
      async notify() {}
    }
    expect(new Page({ text: "x" }).options.text).toBe("x");
    expect(messageOf(() => new Page(untyped({ text: "x", txt: "y" })))).toContain('Page has an unknown option: "txt"');
  });
});

it("an option that is undefined counts as not given", () => {
  inDag(() => new EmptyOperator(untyped({ taskId: "e", retires: undefined })));
});
