import { expect, it } from "vitest";
import { formatRecordLine } from "./format-log.ts";

const at = new Date("2026-01-02T03:04:05.678Z");

it("puts a record's facts behind its message", () => {
  expect(formatRecordLine("load", { level: "info", message: "read rows", facts: { rows: 3 } }, at)).toBe(
    '03:04:05.678 INFO  load: read rows {"rows":3}',
  );
  expect(formatRecordLine(null, { level: "warn", message: "odd" }, at)).toBe("03:04:05.678 WARN  (run): odd");
});

it("puts an error's stack on lines of its own", () => {
  const error = { name: "TypeError", message: "no", stack: "TypeError: no\n    at load (dag.ts:3:1)" };
  expect(formatRecordLine("load", { level: "error", message: "failed", facts: { error, retryable: true } }, at)).toBe(
    '03:04:05.678 ERROR load: failed {"retryable":true}\n    TypeError: no\n        at load (dag.ts:3:1)',
  );
});
