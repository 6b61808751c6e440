import fc from "fast-check";
import { expect, test } from "vitest";
import { createLineSplitter, truncateLine } from "./line-splitter.ts";

function split(chunks: readonly (string | Buffer)[], maxBytes = 1_000): string[] {
  const lines: string[] = [];
  const splitter = createLineSplitter(maxBytes, (line) => lines.push(line));
  for (const chunk of chunks) splitter.push(Buffer.from(chunk));
  splitter.end();
  return lines;
}

test("LF and CRLF end lines, empty ones count, and a last line without an end is given too", () => {
  expect(split(["a\nb\r\n\n\r\nlast"])).toEqual(["a", "b", "", "", "last"]);
  expect(split(["a\n"])).toEqual(["a"]);
  expect(split([""])).toEqual([]);
});

test("any text gives the same lines however its bytes are cut, characters of several bytes included", () => {
  fc.assert(
    fc.property(fc.array(fc.string({ unit: "grapheme" })), fc.array(fc.nat(7)), (lines, cuts) => {
      const clean = lines.map((line) => line.replaceAll(/[\r\n]/g, ""));
      let rest = Buffer.from(clean.map((line) => `${line}\n`).join(""));
      const chunks: Buffer[] = [];
      for (const cut of cuts) {
        chunks.push(rest.subarray(0, cut));
        rest = rest.subarray(cut);
      }
      expect(split([...chunks, rest], 100_000)).toEqual(clean);
    }),
  );
});

test("a line beyond the limit is cut with a mark of how much is missing, never in the middle of a character", () => {
  expect(split(["abcdef\nnext\n"], 4)).toEqual(["abcd… [line truncated: 2 more bytes]", "next"]);
  expect(split(["ab€x\n"], 4)).toEqual(["ab… [line truncated: 2 more bytes]"]);
  expect(truncateLine("ab€x", 4)).toBe("ab… [line truncated: 2 more bytes]");
  expect(truncateLine("ab€x", 6)).toBe("ab€x");
});

test("a line without an end costs no more memory than the limit, and is counted to its last byte", () => {
  const lines: string[] = [];
  const splitter = createLineSplitter(1_024, (line) => lines.push(line));
  const before = process.memoryUsage();
  for (let at = 0; at < 3_000; at++) splitter.push(Buffer.alloc(100_000, 120));
  const after = process.memoryUsage();
  expect(after.arrayBuffers + after.external - before.arrayBuffers - before.external).toBeLessThan(150_000_000);
  splitter.end();
  expect(lines).toEqual([`${"x".repeat(1_024)}… [line truncated: ${300_000_000 - 1_024} more bytes]`]);
});
