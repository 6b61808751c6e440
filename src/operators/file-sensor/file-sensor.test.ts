import { mkdirSync, mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { define, returnValue, runOneTask } from "../../../tests/support/run-one-task.ts";
import { FileSensor } from "./file-sensor.ts";

const look = (path: string, recursive = false) =>
  runOneTask(define(() => void new FileSensor({ taskId: "t", mode: "reschedule", path, recursive })));

describe("FileSensor", () => {
  it("finds a file, a file in a folder, and a glob's match, but not an empty folder", async () => {
    const folder = mkdtempSync(join(tmpdir(), "baram-file-"));
    mkdirSync(join(folder, "in/deep"), { recursive: true });
    for (const path of [join(folder, "x"), join(folder, "in"), join(folder, "*.csv")]) {
      expect((await look(path)).outcome.state).toBe("up_for_reschedule");
    }
    const file = join(folder, "in/deep/a.csv");
    writeFileSync(file, "");
    expect(returnValue((await look(file)).outcome)).toBe(file);
    expect((await look(join(folder, "in"))).outcome.state).toBe("up_for_reschedule");
    expect(returnValue((await look(join(folder, "in"), true)).outcome)).toBe(file);
    expect(returnValue((await look(join(folder, "**/*.csv"))).outcome)).toBe(file);
  });
});
