import { expect, test } from "vitest";
import { buildOf, isNewerBuild } from "./build.ts";

test("builds are ordered by the format of serialized DAGs, then Baram's version, then the bundler's", () => {
  const ascending = [
    [],
    buildOf("0.9.0", { serializedVersion: 1, bundler: "0.28.0" }),
    buildOf("0.10.0-rc.1", { serializedVersion: 1, bundler: "0.9.0" }),
    buildOf("0.10.0", { serializedVersion: 1, bundler: "0.9.0" }),
    buildOf("0.10.0", { serializedVersion: 1, bundler: "0.10.0" }),
    buildOf("0.1.0", { serializedVersion: 2, bundler: "0.9.0" }),
  ];
  for (const [i, a] of ascending.entries())
    for (const [j, b] of ascending.entries()) expect([i, j, isNewerBuild(a, b)]).toEqual([i, j, i > j]);
});
