import { expect, test } from "vitest";
import { silentLogger } from "../platform/index.ts";
import { createOutageWatch } from "./outage.ts";

const fault = { database: "db:5432/baram", error: "connect ECONNREFUSED", nextTrySec: 0.5 };

function watch() {
  const lines: [object, string][] = [];
  let nowMs = 0;
  const logger = { ...silentLogger, warn: (facts: object, message: string) => void lines.push([facts, message]) };
  return {
    outage: createOutageWatch(logger, () => nowMs),
    pass: (ms: number) => {
      nowMs += ms;
    },
    lines,
  };
}

test("an outage of 100 s, tried twice a second: a line at once, one each 30 s with the count, one at the return", () => {
  const { outage, pass, lines } = watch();
  outage.answered(outage.mark());
  for (let attempt = 0; attempt < 200; attempt++) {
    outage.failed(fault);
    pass(500);
  }
  outage.answered(outage.mark());
  outage.answered(outage.mark());
  const facts = { database: "db:5432/baram", error: "connect ECONNREFUSED", nextTrySec: 0.5 };
  expect(lines).toEqual([
    [{ ...facts, attempt: 1 }, "the database cannot be reached; trying again"],
    [{ ...facts, attempt: 61, awaySec: 30 }, "the database still cannot be reached; trying again"],
    [{ ...facts, attempt: 121, awaySec: 60 }, "the database still cannot be reached; trying again"],
    [{ ...facts, attempt: 181, awaySec: 90 }, "the database still cannot be reached; trying again"],
    [{ awaySec: 100, attempts: 200 }, "the database is back"],
  ]);
});

test("an answer to a statement that was sent before the loss is no return", () => {
  const { outage, lines } = watch();
  const before = outage.mark();
  outage.failed(fault);
  outage.answered(before);
  expect(lines).toHaveLength(1);
  outage.answered(outage.mark());
  expect(lines.map(([, message]) => message).at(-1)).toBe("the database is back");
});

test("each outage has its own line", () => {
  const { outage, lines } = watch();
  for (let round = 0; round < 2; round++) {
    outage.failed({ ...fault, nextTrySec: null });
    outage.answered(outage.mark());
  }
  expect(lines.map(([facts]) => facts)).toMatchObject([{ attempt: 1 }, { attempts: 1 }, { attempt: 1 }, { attempts: 1 }]);
});
