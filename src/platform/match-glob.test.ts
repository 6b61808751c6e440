import { describe, expect, it } from "vitest";
import { matchesGlob } from "./match-glob.ts";

describe("matchesGlob", () => {
  it.each([
    ["/d/a.csv", "/d/*.csv", true],
    ["/d/e/a.csv", "/d/*.csv", false],
    ["/d/e/a.csv", "/d/**/*.csv", true],
    ["/d/a.csv", "/d/**/*.csv", true],
    ["/d/a+b.csv", "/d/a+b.*", true],
    ["/d/ab", "/d/a?", true],
    ["/d/a1", "/d/a[0-9]", true],
    ["/d/a.tsv", "/d/a.{csv,tsv}", true],
    ["/d/aXcsv", "/d/a.csv", false],
  ])("%s fits %s: %s", (path, pattern, fits) => {
    expect(matchesGlob(path, pattern)).toBe(fits);
  });
});
