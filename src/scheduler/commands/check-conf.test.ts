import { expect, it } from "vitest";
import type { JsonObject, SerializedDag } from "../../contracts/index.ts";
import { checkConf } from "./check-conf.ts";

const dagWith = (schema: JsonObject) =>
  ({ dagId: "d", params: { region: { description: null, schema } } }) as unknown as SerializedDag;

it("names the values that a param may have, and the property that it may not", () => {
  const region = dagWith({ enum: ["eu", "us", 3, null] });
  checkConf(region, { region: "eu" });
  expect(() => checkConf(region, { region: "asia" })).toThrow('param "region" is "asia", but must be one of "eu", "us", 3, null');
  expect(() => checkConf(dagWith({ const: "eu" }), { region: "us" })).toThrow('but must be "eu"');
  const closed = dagWith({ type: "object", properties: { a: {} }, additionalProperties: false });
  expect(() => checkConf(closed, { region: { b: 1 } })).toThrow('but must not have the property "b"');
  const many = dagWith({ enum: Array.from({ length: 30 }, (_, at) => at) });
  expect(() => checkConf(many, { region: "x" })).toThrow("17, 18, 19, …");
});

it("refuses what the database would store and could not read again, for every way in", () => {
  const dag = dagWith({});
  expect(() => checkConf(dag, { region: "eu", more: ["a\u0000b"] })).toThrow("it holds the character U+0000");
  expect(() => checkConf(dag, { region: "eu", more: "\ud800" })).toThrow("it holds half of a surrogate pair");
  checkConf(dag, { region: "eu", more: "\\u0000 \ud83d\ude00" });
});

const within = (ms: number, work: () => void) => {
  const began = performance.now();
  work();
  expect(performance.now() - began).toBeLessThan(ms);
};

it("takes no longer for a text that a pattern nearly fits", () => {
  for (const pattern of ["^(a+)+$", "^(a|a)*$", "^(?:[a-z]+)*[a-z]+$", "(.*){20}b"]) {
    const dag = dagWith({ type: "string", pattern });
    within(1_500, () => expect(() => checkConf(dag, { region: `${"a".repeat(200_000)}!` })).toThrow("must match pattern"));
  }
  const keys = dagWith({ type: "object", patternProperties: { "^(a+)+$": { type: "integer" } }, additionalProperties: false });
  within(1_500, () =>
    expect(() => checkConf(keys, { region: { [`${"a".repeat(100_000)}!`]: 1 } })).toThrow("must not have the property"),
  );
  checkConf(keys, { region: { aaa: 1 } });
});

it("knows JavaScript's patterns, by characters and not by halves of them", () => {
  for (const [pattern, fits, fitsNot] of [
    ["^\\d{4}-\\d\\d$", "2026-01", "2026-1"],
    ["b", "abc", "ac"],
    ["^\\u0041.$", "A😀", "A😀😀"],
    ["^(?<year>\\d+)\\/\\p{L}$", "1/é", "1/2"],
    ["^[\\w.-]+$", "a.b-c", "a b"],
  ] as const) {
    checkConf(dagWith({ pattern }), { region: fits });
    expect(() => checkConf(dagWith({ pattern }), { region: fitsNot }), pattern).toThrow("must match pattern");
  }
});

it("takes no longer for a long text with a format, a long list without duplicates, and a list of a million faults", () => {
  for (const format of ["url", "uri-reference", "uri", "email", "date-time", "regex", "hostname", "json-pointer"])
    within(1_500, () =>
      expect(() => checkConf(dagWith({ format }), { region: `http://${"a:".repeat(400_000)}` })).toThrow("must match format"),
    );
  checkConf(dagWith({ format: "url" }), { region: "https://example.com/a?b=c" });
  checkConf(dagWith({ format: "int32" }), { region: 7 });
  const list = dagWith({ type: "array", uniqueItems: true });
  const items = Array.from({ length: 100_000 }, (_, at) => ({ a: at, b: 1 }));
  within(3_000, () => checkConf(list, { region: items }));
  expect(() => checkConf(list, { region: [...items, { b: 1, a: 7 }] })).toThrow("must NOT have duplicate items");
  checkConf(list, { region: [1, "1", null, "null", [1], [[1]]] });
  const numbers = dagWith({ type: "array", items: { type: "string" } });
  within(3_000, () => expect(() => checkConf(numbers, { region: Array(500_000).fill(1) })).toThrow("/0 must be string"));
});

it("says of a schema that it cannot be used, whatever was stored", () => {
  const schemas: JsonObject[] = [
    { pattern: "(?=a)a" },
    { pattern: "(a)\\1" },
    { pattern: "[" },
    { $ref: "#/nowhere" },
    { $ref: "#" },
  ];
  for (const schema of schemas)
    expect(() => checkConf(dagWith(schema), { region: "a" })).toThrow('The schema of param "region" of DAG "d" cannot be used');
});
