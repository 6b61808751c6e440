import { describe, expect, it } from "vitest";
import { BashOperator, EmptyOperator } from "../../operators/index.ts";
import { dag, type TaskGroupOptions, task, taskGroup, template, type XComArg } from "../index.ts";
import { collectDags, looseEndsOf, serializeDag } from "../runtime.ts";

const inDag = (body: () => unknown) => dag({ dagId: "d" }, () => void body());
const noop = (taskId: string) => task({ taskId }, async (_ctx, ..._inputs: unknown[]) => taskId);

function refused(run: () => unknown): Error & { code?: string } {
  try {
    run();
  } catch (error) {
    return error as Error;
  }
  throw new Error("nothing was refused");
}

describe("what would be missing from the DAG is refused:", () => {
  it.each<[what: string, message: string, run: () => unknown]>([
    ["a task function that is not called", 'task "a" is never called', () => noop("a")],
    ["one of which another was made that is not called", 'task "b" is never called', () => noop("a").override({ taskId: "b" })],
    ["a partial() that is not expanded", 'partial() of task "a" is never expanded', () => noop("a").partial(1)],
    [
      "an operator's partial() that is not expanded",
      'partial() of task "b" is never expanded',
      () => BashOperator.partial({ taskId: "b" }),
    ],
    [
      "a group with parameters that is not expanded",
      'task group "g" is never expanded, so it is in no DAG: its body has parameters, so call expand() with a list for each',
      () => taskGroup("g", (item: XComArg<number>) => noop("a")(item)),
    ],
  ])("%s, with its line", (_what, message, make) => {
    const { code, message: told, stack } = refused(() => inDag(make));
    expect(code).toBe("NEVER_CALLED");
    expect(told).toContain(`DAG "d": ${message}`);
    // The first frame is the line that created it, not the dag() call that detected it.
    expect(stack?.split("\n").find((line) => line.includes("    at "))).toMatch(/loose-ends\.test\.ts/);
  });

  it("a group whose options stand beside its id", () => {
    const make = () => taskGroup("load", { tooltip: "x" } as unknown as () => void);
    expect(refused(() => inDag(make)).message).toBe(
      'task group "load": its second argument must be a function, not an object; its options go with its id: taskGroup({ groupId: "load", … }, () => { … })',
    );
    expect(
      refused(() => inDag(() => taskGroup({ groupId: "g" } as TaskGroupOptions, undefined as unknown as () => void))).message,
    ).toContain("must be a function, not undefined");
  });

  it("a body that is async, of a group too, and one that is none", () => {
    expect(refused(() => inDag(() => taskGroup("g", async () => noop("a")()))).code).toBe("DAG_BODY_ASYNC");
    expect(refused(() => dag({ dagId: "d" }, undefined as unknown as () => void)).message).toContain("must be a function");
  });
});

it("what is called, expanded or made into another is none", () => {
  inDag(() => {
    noop("a")();
    noop("b").override({ taskId: "c" })();
    noop("e").partial(1).expand([1]);
    noop("f").expand([1]);
    task({ taskId: "h" }, (_ctx, { n }: { n: number }) => n).expandKwargs([{ n: 1 }]);
    taskGroup("g", (item: XComArg<number>) => noop("a")(item)).expand([1]);
  });
});

it("what the file makes outside of its DAGs is told when it has loaded, but for what it uses in one of them or exports", async () => {
  const [first, second] = await collectDags(async () => {
    const used = noop("used");
    const exported = noop("exported");
    noop("left");
    dag({ dagId: "one" }, () => {});
    dag({ dagId: "two" }, () => void used());
    return { exported };
  });
  for (const definition of [first, second]) {
    const ends = definition === undefined ? [] : looseEndsOf(definition);
    expect(ends.map(({ message }) => message)).toEqual([
      'task "left" is never called, so it is in no DAG: call what task() returned',
    ]);
    expect(ends[0]?.madeAt?.stack.split("\n")[1]).toMatch(/loose-ends\.test\.ts/);
  }
});

describe("a result that is converted to a text is refused where that happens:", () => {
  const consume = noop("c");
  it.each<[what: string, use: (a: XComArg<number>) => unknown]>([
    ["in a template literal", (a) => consume(`value ${a}`)],
    ["added to a text", (a) => consume(`value ${String(a)}`)],
    ["as JSON", (a) => consume(JSON.stringify({ rows: [a] }))],
    ["compared", (a) => (a as unknown as number) > 3 && consume(1)],
    ["of another key", (a) => consume(`${a.at("key")}`)],
    ["joined", (a) => consume([a, a].join(","))],
  ])("%s", (_what, use) => {
    const error = refused(() => inDag(() => use(task({ taskId: "a" }, () => 1)())));
    expect(error.code).toBe("RESULT_AS_TEXT");
    expect(error.message).toMatch(/task "a" or its result is converted to (a text|JSON)/);
    expect(error.message).toContain("{{ ti.xcom_pull(task_ids='a') }}");
  });

  it("an operator, a group, an element of a mapped group and a task function too", () => {
    const texts: (() => unknown)[] = [
      () => `${new EmptyOperator({ taskId: "e" })}`,
      () => `${taskGroup("g", () => noop("a")())}`,
      () => taskGroup("g", (item: XComArg<number>) => noop("a")(`${item}`)).expand([1, 2]),
      () => `${consume}`,
    ];
    for (const text of texts) expect(refused(() => inDag(text)).code).toBe("RESULT_AS_TEXT");
  });

  it("while a result as an argument makes its edge, and a template may stand inside another", () => {
    const definition = inDag(() => consume(task({ taskId: "a" }, () => 1)(), `at ${template("{{ ds }}")}`));
    const consumer = serializeDag(definition).tasks.find(({ taskId }) => taskId === "c");
    expect(consumer?.upstream).toEqual(["a"]);
    expect(consumer?.templateFieldValues).toEqual({
      args: ["{{ ti.xcom_pull(task_ids='a', key='return_value') }}", "at {{ ds }}"],
    });
  });
});
