import { expect, test } from "vitest";
import { killAndWait } from "../../../tests/support/kill-and-wait.ts";
import { distFile } from "../../main/dist-file.ts";
import { startTriggerChild } from "./child-process.ts";

test("what is sent to a process of triggers that has just died ends nobody, and its triggers are told of once", async () => {
  const deaths: (readonly number[])[] = [];
  const ends: number[] = [];
  const child = startTriggerChild(
    { entry: distFile("triggerer/child/entry.js"), environment: { PATH: process.env.PATH ?? "" }, blockedTimeoutSec: 60 },
    null,
    {
      end: (id) => ends.push(id),
      log() {},
      call: async () => null,
      blocked() {},
      loaded() {},
      died: (_how, ids) => deaths.push(ids),
    },
  );
  const task = { dagId: "d", runId: "r", taskId: "t", mapIndex: -1, tryNumber: 1 };
  const trigger = (id: number) => ({ id, classpath: "T", moduleHash: "0", kwargs: {}, deaths: 0, tryId: "", task, logPath: "" });
  child.start(trigger(1), "/no/such/module.mjs");
  // It answers, so it is ready: what follows is written at once.
  await expect.poll(() => ends, { timeout: 10_000 }).toEqual([1]);
  killAndWait(child.pid);
  child.start(trigger(2), "/no/such/module.mjs");
  child.cancel(3);
  child.start(trigger(4), "/no/such/module.mjs");
  await expect.poll(() => deaths).toEqual([[2, 4]]);
});
