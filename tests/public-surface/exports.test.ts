import * as baram from "baram";
import * as operators from "baram/operators";
import * as slack from "baram/providers/slack";
import * as smtp from "baram/providers/smtp";
import { expect, it } from "vitest";
import * as runtime from "../../src/sdk/runtime.ts";

it('"baram" exports exactly what an author needs', () => {
  expect(Object.keys(baram).sort()).toEqual([
    "BaseNotifier",
    "BaseOperator",
    "BaseSensor",
    "BaseTrigger",
    "DagDefinitionError",
    "DateTimeTrigger",
    "ExternalTaskTrigger",
    "FailError",
    "FileTrigger",
    "HttpTrigger",
    "SkipError",
    "TaskFailedEvent",
    "TaskSkippedEvent",
    "TaskSuccessEvent",
    "TimeDeltaTrigger",
    "Timetable",
    "TriggerEvent",
    "chain",
    "concat",
    "cron",
    "crons",
    "crossDownstream",
    "dag",
    "defer",
    "delta",
    "events",
    "param",
    "registerTrigger",
    "task",
    "taskGroup",
    "template",
    "zip",
  ]);
});

it('"baram/operators" exports exactly the general operators', () => {
  expect(Object.keys(operators).sort()).toEqual([
    "BaseBranchOperator",
    "BashOperator",
    "BranchOperator",
    "EmailOperator",
    "EmptyOperator",
    "ExternalTaskSensor",
    "FileSensor",
    "LatestOnlyOperator",
    "ShortCircuitOperator",
    "TimeDeltaSensor",
    "TimeSensor",
    "TriggerDagRunOperator",
    "branch",
    "sensor",
    "shortCircuit",
  ]);
});

it("a provider exports its operators and notifiers", () => {
  expect(Object.keys(slack).sort()).toEqual(["SlackWebhookNotifier", "SlackWebhookOperator"]);
  expect(Object.keys(smtp).sort()).toEqual(["SmtpNotifier"]);
});

it("keeps the runtime's door to the platform: no loading, serializing or running through the public one", () => {
  const privateNames = Object.keys(runtime).filter((name) => !["BaseSensor", "sensor"].includes(name));
  expect(privateNames).toContain("collectDags");
  for (const name of privateNames) expect([...Object.keys(baram), ...Object.keys(operators)]).not.toContain(name);
});
