import { pino } from "pino";
import { expect, test } from "vitest";
import { loadConfig } from "../config/index.ts";
import { tellOfWithheld } from "./hide-secrets.ts";

test("a role says once which variables user code does not get, by name only", () => {
  const lines: string[] = [];
  const logger = pino({ base: null, timestamp: false }, { write: (line: string) => lines.push(line) });
  const config = loadConfig({ BARAM_HOME: "/nowhere", BARAM__WORKERS__PASS_ENVIRONMENT: "JAVA_*" });
  const environment = { PATH: "/bin", STRIPE_KEY: "sk-value", JAVA_HOME: "/j", HTTPS_PROXY: "http://u:in-url@p" };
  tellOfWithheld(config, logger, environment);
  expect(lines.map((line) => JSON.parse(line))).toEqual([
    { level: 30, variables: ["STRIPE_KEY"], msg: expect.stringContaining("[workers] pass_environment") },
    { level: 40, variables: ["HTTPS_PROXY"], msg: expect.stringContaining("have a password") },
  ]);
  expect(lines.join("")).not.toMatch(/sk-value|in-url/);
  lines.length = 0;
  tellOfWithheld(config, logger, { PATH: "/bin" });
  expect(lines).toEqual([]);
});
