import { expect, test } from "vitest";
import { BaramError } from "../platform/index.ts";
import { findFaults, isOnesFault } from "./culprits.ts";

const sql = (code: string) => Object.assign(new Error("refused"), { code });

test("values, constraints, limits and errors of our own code may be one row's fault; what the server lacks or lost is nobody's", () => {
  for (const code of ["22008", "22003", "22P05", "23514", "23503", "54000", "P0001", "XX001", "21000"])
    expect(isOnesFault(sql(code)), code).toBe(true);
  expect(isOnesFault(new TypeError("x is undefined"))).toBe(true);
  expect(isOnesFault(new BaramError("serialized_dag_invalid", "no", {}))).toBe(true);
  for (const code of [
    "40P01",
    "40001",
    "57P01",
    "57014",
    "53100",
    "53300",
    "42P01",
    "42501",
    "25006",
    "08006",
    "55P03",
    "ECONNREFUSED",
  ])
    expect(isOnesFault(sql(code)), code).toBe(false);
  expect(isOnesFault(new Error("Query read timeout"))).toBe(false);
  expect(isOnesFault(new BaramError("database_unavailable", "no", {}))).toBe(false);
});

/** Fails as a statement over many rows does: as a whole. */
async function search(items: readonly number[], bad: readonly number[]) {
  const done: number[] = [];
  let calls = 0;
  const faults = await findFaults(items, async (part) => {
    calls++;
    if (part.some((item) => bad.includes(item))) throw sql("22008");
    done.push(...part);
  });
  return { found: faults.map(({ item }) => item), done: done.sort((a, b) => a - b), calls };
}

test("those that fail by themselves are found, all others are done once, and one among 1,000 costs 20 attempts", async () => {
  const items = Array.from({ length: 1_000 }, (_, at) => at);
  const one = await search(items, [617]);
  expect(one).toMatchObject({ found: [617], done: items.filter((item) => item !== 617) });
  expect(one.calls).toBeLessThanOrEqual(20);
  expect(await search(items, [0, 1, 999])).toMatchObject({
    found: [0, 1, 999],
    done: items.filter((item) => ![0, 1, 999].includes(item)),
  });
  expect((await search([5], [5])).found).toEqual([5]);
  expect((await search([], [])).calls).toBe(0);
});

test("what is nobody's fault ends the search", async () => {
  await expect(findFaults([1, 2, 3], () => Promise.reject(sql("57P01")))).rejects.toThrow("refused");
});
