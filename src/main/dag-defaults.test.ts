import { afterEach, expect, test } from "vitest";
import { loadConfig } from "../config/index.ts";
import { type DagOptions, dag } from "../sdk/index.ts";
import { serializeDag, setDagDefaults } from "../sdk/runtime.ts";
import { parseSerializedDag } from "../serialized/index.ts";
import { dagDefaultsOf } from "./dag-defaults.ts";

const defaultsIn = (zone: string) =>
  dagDefaultsOf(loadConfig({ BARAM__CORE__DEFAULT_TIMEZONE: zone, BARAM_HOME: "/nonexistent" }));
const plain = dagDefaultsOf(loadConfig({ BARAM_HOME: "/nonexistent" }));
const factsOf = (options: DagOptions) => parseSerializedDag(serializeDag(dag(options, () => {})));
afterEach(() => setDagDefaults(plain));

test("a DAG that sets no zone has the installation's: for its schedule, and for its dates without an offset", () => {
  setDagDefaults(defaultsIn("Asia/Seoul"));
  const { timezone, startDate, timetable } = factsOf({ dagId: "d", schedule: "0 6 * * *", startDate: "2026-01-01" });
  expect(timezone).toBe("Asia/Seoul");
  expect(startDate).toBe("2025-12-31T15:00:00Z");
  expect(timetable).toMatchObject({ timezone: "Asia/Seoul" });
  expect(factsOf({ dagId: "e", timezone: "UTC" }).timezone).toBe("UTC");
});

test("a zone that does not exist is named with its option", () => {
  expect(() => defaultsIn("Asia/Soul")).toThrow(/BARAM__CORE__DEFAULT_TIMEZONE is "Asia\/Soul", but must be an IANA zone/);
});
