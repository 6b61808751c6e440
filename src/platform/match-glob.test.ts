import { describe, expect, it } from "vitest";
import { createGlobMatcher } from "./match-glob.ts";

describe("createGlobMatcher", () => {
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
    ["/d/b", "/d/[!a]", true],
    ["/d/[", "/d/[[]", true],
    ["/d/[z-a]", "/d/[z-a]", true],
    ["/d/a\nb", "/d/a?b", true],
    ["/d/(a|b)+$", "/d/(a|b)+$", true],
  ])("%s fits %s: %s", (path, pattern, fits) => {
    expect(createGlobMatcher(pattern)(path)).toBe(fits);
  });

  it("takes no longer for a pattern that fits in many ways", () => {
    const began = performance.now();
    expect(createGlobMatcher(`/${"**a".repeat(20)}b`)(`/${"a".repeat(4_000)}`)).toBe(false);
    expect(performance.now() - began).toBeLessThan(1_000);
  });
});
