import { expect, it } from "vitest";
import { didYouMean, findSimilar } from "./did-you-mean.ts";

const known = ["pool", "schedule", "startDate", "retries", "retryDelay", "triggerRule", "env", "tags"];

it("finds the name that was meant", () => {
  for (const [given, meant] of [
    ["retires", "retries"],
    ["retry", "retries"],
    ["start_date", "startDate"],
    ["START-DATE", "startDate"],
    ["trigerRule", "triggerRule"],
    ["retry_dealy", "retryDelay"],
    ["evn", "env"],
    ["tag", "tags"],
  ] as const) {
    expect([given, findSimilar(given, known)]).toEqual([given, meant]);
  }
});

it("finds none where nothing is near", () => {
  for (const given of ["foo", "provideContext", "xyz", "", "a", "scheduleIntervalOfTheDag"]) {
    expect([given, findSimilar(given, known)]).toEqual([given, undefined]);
  }
  expect(findSimilar("retries", [])).toBeUndefined();
});

it("prefers the nearest, and of equally near ones the first", () => {
  expect(findSimilar("retriez", ["retry", "retries", "retrial"])).toBe("retries");
  expect(findSimilar("abc", ["abd", "xbc"])).toBe("abd");
});

it("ends a message with the hint, or leaves it as it is", () => {
  expect(`unknown option "retires"${didYouMean("retires", known)}`).toBe('unknown option "retires"; did you mean "retries"?');
  expect(didYouMean("xyz", known)).toBe("");
});
