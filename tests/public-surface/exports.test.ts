import * as baram from "baram";
import * as operators from "baram/operators";
import { expect, it } from "vitest";
import * as runtime from "../../src/sdk/runtime.ts";

it('"baram" exports exactly what an author needs', () => {
  expect(Object.keys(baram).sort()).toEqual([
    "BaseOperator",
    "BaseSensor",
    "DagDefinitionError",
    "FailError",
    "SkipError",
    "Timetable",
    "chain",
    "cron",
    "crons",
    "crossDownstream",
    "dag",
    "delta",
    "events",
    "param",
    "task",
    "taskGroup",
    "template",
  ]);
});

it('"baram/operators" exports exactly the general operators', () => {
  expect(Object.keys(operators).sort()).toEqual([
    "BaseBranchOperator",
    "BashOperator",
    "BranchOperator",
    "EmptyOperator",
    "ExternalTaskSensor",
    "FileSensor",
    "ShortCircuitOperator",
    "TimeDeltaSensor",
    "TimeSensor",
    "TriggerDagRunOperator",
    "branch",
    "sensor",
    "shortCircuit",
  ]);
});

it("keeps the runtime's door to the platform: no loading, serializing or running through the public one", () => {
  const privateNames = Object.keys(runtime).filter((name) => !["BaseSensor", "sensor"].includes(name));
  expect(privateNames).toContain("collectDags");
  for (const name of privateNames) expect([...Object.keys(baram), ...Object.keys(operators)]).not.toContain(name);
});
