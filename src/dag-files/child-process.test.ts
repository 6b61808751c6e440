import { expect, test } from "vitest";
import { killAndWait } from "../../tests/support/kill-and-wait.ts";
import { DAG_DEFAULTS } from "../contracts/index.ts";
import { startChild } from "./child-process.ts";
import { EVALUATION } from "./evaluator.ts";

test("a request to an evaluation process that has just died ends nobody, and its end is told", async () => {
  let ready = () => {};
  const isReady = new Promise<void>((resolve) => {
    ready = resolve;
  });
  const child = startChild(EVALUATION, { environment: { PATH: process.env.PATH ?? "" }, memoryMb: 128, cpuLimitSec: 60 }, () =>
    ready(),
  );
  await isReady;
  killAndWait(child.pid);
  for (const id of [1, 2]) child.send({ id, modulePath: "/x".repeat(50_000), defaults: DAG_DEFAULTS, seeds: {}, now: 0 });
  expect(await child.ended).toMatchObject({ signal: "SIGKILL" });
});
