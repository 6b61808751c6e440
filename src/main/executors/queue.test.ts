import { expect, test } from "vitest";
import { loadConfig } from "../../config/index.ts";
import type { SerializedTask } from "../../contracts/index.ts";
import { faultForExecutor } from "../executors.ts";

const config = loadConfig({ BARAM_HOME: "/nowhere/at/all" });
const faultOf = (executor: string, queue: string) => faultForExecutor(config, executor, { queue } as SerializedTask, "d");

test("a queue that no worker can be told to serve is known from the task beforehand", () => {
  expect(faultOf("QueueExecutor", "gpu-2.large_x")).toBeNull();
  expect(faultOf("QueueExecutor", "große Maschinen")).toBe(
    `its queue is "große Maschinen", which QueueExecutor cannot carry: a queue's name has letters, digits, _ . and - only, 200 at most`,
  );
  expect(faultOf("QueueExecutor", "x".repeat(201))).toMatch(/200 at most$/);
  // Executors without queues take any name.
  expect(faultOf("LocalExecutor", "große Maschinen")).toBeNull();
});
