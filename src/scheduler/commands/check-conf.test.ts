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
