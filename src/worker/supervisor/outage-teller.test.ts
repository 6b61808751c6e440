import { expect, test } from "vitest";
import { silentLogger } from "../../platform/index.ts";
import { createOutageTeller } from "./outage-teller.ts";

function start(everyMs: number) {
  const lines: Record<string, unknown>[] = [];
  const time = { ms: 0 };
  const write = (facts: object, message: string) => void lines.push({ ...facts, message });
  const logger = { ...silentLogger, warn: write, info: write };
  const url = "http://localhost:8080/execution";
  return { lines, time, teller: createOutageTeller({ url, everyMs, logger, now: () => time.ms }) };
}
const refused = () => new Error("connect ECONNREFUSED", { cause: Object.assign(new Error("x"), { code: "ECONNREFUSED" }) });

test("the first failure is told at once: what was tried, where, the error, its probable cause and the next try", () => {
  const { lines, teller } = start(60_000);
  teller.failed("fetch the task's code", refused(), 1_230);
  expect(lines).toEqual([
    {
      url: "http://localhost:8080/execution",
      error: "connect ECONNREFUSED",
      probably: expect.stringContaining("the worker's own machine or container"),
      failures: 1,
      sinceSec: 0,
      nextTrySec: 1.2,
      message: "the API cannot be reached to fetch the task's code; trying again",
    },
  ]);
  expect(teller.fault()).toMatch(/^connect ECONNREFUSED; probably the API server does not run where/);
});

test("the same fault is told again after its time, another one after 5 s, and the end of the outage once", () => {
  const { lines, time, teller } = start(60_000);
  teller.reached();
  for (; time.ms <= 120_000; time.ms += 1_000) teller.failed("start", refused(), 1_000);
  expect(lines.map(({ sinceSec }) => sinceSec)).toEqual([0, 60, 120]);
  teller.failed("start", new Error("another"), 1_000);
  expect(lines).toHaveLength(3);
  time.ms += 5_000;
  teller.failed("start", new Error("another"), 1_000);
  expect(lines.at(-1)).toMatchObject({ error: "another", failures: 123 });
  teller.reached();
  teller.reached();
  expect(lines.slice(4)).toEqual([
    { url: "http://localhost:8080/execution", failures: 123, awaySec: 126, message: "the API answers again" },
  ]);
  expect(teller.fault()).toBeNull();
});
