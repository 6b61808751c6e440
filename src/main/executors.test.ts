import { expect, test } from "vitest";
import { configuredExecutors, resolveExecutor } from "./executors.ts";

const configured = (executor: string) => configuredExecutors({ core: { executor } } as Parameters<typeof configuredExecutors>[0]);

test("the list keeps its order, the first being the default, and takes an alias before a colon", () => {
  expect(configured("LocalExecutor")).toEqual([{ name: "LocalExecutor", alias: null }]);
  expect(configured(" one : SequentialExecutor , LocalExecutor,")).toEqual([
    { name: "SequentialExecutor", alias: "one" },
    { name: "LocalExecutor", alias: null },
  ]);
});

test("a task names an executor by its name, its short form or its alias, and by nothing else", () => {
  const executors = configured("LocalExecutor,one:SequentialExecutor");
  for (const named of ["SequentialExecutor", "sequential", "one"])
    expect(resolveExecutor(named, executors), named).toBe("SequentialExecutor");
  expect(resolveExecutor("local", executors)).toBe("LocalExecutor");
  for (const named of ["", "Local", "two", "one:SequentialExecutor", "toString"])
    expect(resolveExecutor(named, executors), named).toBeNull();
});

test("an unknown name, an alias that is none, and a name that would mean two executors are refused with the value", () => {
  const refused = (code: string, message: string) =>
    expect.objectContaining({ code, message: expect.stringContaining(message) as string });
  expect(() => configured("LocalExecutor,MoonExecutor")).toThrow(refused("executor_unknown", '"MoonExecutor"'));
  expect(() => configured("toString")).toThrow(refused("executor_unknown", '"toString"'));
  expect(() => configured("CeleryExecutor")).toThrow(refused("executor_unknown", "QueueExecutor, see docs/executors/queue.md"));
  for (const alias of ["", "1st", "a b", "x".repeat(65)])
    expect(() => configured(`${alias}:LocalExecutor`), alias).toThrow(refused("executor_alias_invalid", `"${alias}"`));
  for (const list of [
    "",
    ",",
    "LocalExecutor,LocalExecutor",
    "local:SequentialExecutor,LocalExecutor",
    "a:LocalExecutor,a:SequentialExecutor",
  ])
    expect(() => configured(list), list).toThrow(refused("executor_twice", `"${list}"`));
});

test("an alias may be the executor's own short form", () => {
  expect(configured("local:LocalExecutor")).toEqual([{ name: "LocalExecutor", alias: "local" }]);
});
