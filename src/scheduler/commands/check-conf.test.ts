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
