import { expect, test } from "vitest";
import { loadConfig } from "../config/index.ts";
import { logOptionsOf } from "./log-options.ts";

const formatOf = (isTerminal: boolean, set: Record<string, string> = {}) =>
  logOptionsOf(loadConfig({ BARAM_HOME: "/nowhere/at/all", ...set }), isTerminal).format;

test("lines are readable on a terminal and JSON elsewhere, unless [logging] says which", () => {
  expect([formatOf(true), formatOf(false)]).toEqual(["coloured", "json"]);
  expect(formatOf(true, { BARAM__LOGGING__COLORED_CONSOLE_LOG: "false" })).toBe("readable");
  expect(formatOf(true, { BARAM__LOGGING__JSON_LOGS: "true" })).toBe("json");
  expect(formatOf(false, { BARAM__LOGGING__JSON_LOGS: "false" })).toBe("readable");
});
