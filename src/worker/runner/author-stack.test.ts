import { describe, expect, it } from "vitest";
import { findPackageRoot } from "../../platform/index.ts";
import { authorStack } from "./author-stack.ts";

const ROOT = findPackageRoot();
const RUN_TASK = `    at async execute (${ROOT}/src/worker/runner/run-task.ts:109:57)`;
const SDK = `    at TaskNode.execute (${ROOT}/dist/sdk/task.js:40:12)`;
const AUTHOR = "    at load (/home/ada/dags/report.ts:7:11)";
const LIBRARY = "    at async get (file:///home/ada/dags/node_modules/got/index.js:1:2)";
const NODE = "    at openSync (node:fs:601:3)";
const TICK = "    at process.processTicksAndRejections (node:internal/process/task_queues:95:5)";

const stackOf = (...lines: string[]) => ["Error: a message", "    at its second line", "and its third", ...lines].join("\n");

describe("authorStack", () => {
  it("begins at the author's first frame and ends at the last, without Baram's between them", () => {
    expect(authorStack(stackOf(NODE, SDK, AUTHOR, SDK, LIBRARY, TICK, RUN_TASK))).toBe(stackOf(AUTHOR, LIBRARY));
  });

  it("keeps what Node did between the author's frames", () => {
    const sorted = "    at Array.sort (<anonymous>)";
    expect(authorStack(stackOf(AUTHOR, sorted, LIBRARY, RUN_TASK))).toBe(stackOf(AUTHOR, sorted, LIBRARY));
  });

  it("leaves a stack alone that holds no frame of the author's, or none at all", () => {
    for (const stack of [stackOf(NODE, SDK, TICK, RUN_TASK), stackOf(), "Error"]) expect(authorStack(stack)).toBe(stack);
  });
});
