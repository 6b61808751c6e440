import fc from "fast-check";
import { expect, test } from "vitest";
import { createLineSplitter, REDRAW_MS, truncateLine } from "./line-splitter.ts";

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

test("CRLF is one line end, also where it is cut between two chunks", () => {
  expect(split(["a\r", "\nb\r", "\n\r", "\n", "c"])).toEqual(["a", "b", "", "c"]);
  expect(split(["a\r\r\nb\r", "\r", "\n"])).toEqual(["a", "b"]);
});

/** The lines of a progress bar that is redrawn every `everyMs` and ends with `end`. */
function drawn(states: readonly string[], everyMs: number, end: string): string[] {
  let nowMs = 0;
  const lines: string[] = [];
  const splitter = createLineSplitter(
    1_000,
    (line) => lines.push(line),
    () => nowMs,
  );
  for (const state of states) {
    splitter.push(Buffer.from(state));
    nowMs += everyMs;
  }
  splitter.push(Buffer.from(end));
  splitter.end();
  return lines;
}

test("a bar that redraws a hundred times a second makes a line now and then, and its last state is kept", () => {
  const states = Array.from({ length: 3_000 }, (_, at) => `\r${at}`);
  const lines = drawn(states, 10, "\nnext\n");
  expect(lines.slice(-2)).toEqual(["2999", "next"]);
  expect(lines.length).toBeLessThanOrEqual(2 + Math.ceil(30_000 / REDRAW_MS));
  expect(lines.length).toBeGreaterThan(30_000 / REDRAW_MS - 1);
  expect(
    drawn(
      states.map((state) => `${state.slice(1)}\r`),
      10,
      "",
    ).at(-1),
    "ended by CR alone",
  ).toBe("2999");
});

test("a state that clears the line is none, and one that was shown is not shown again", () => {
  expect(drawn(["100%\r", "      \r"], 0, "")).toEqual(["100%"]);
  expect(drawn(["1%\r", "2%\r", "\u001b[K\r"], 0, "done\n")).toEqual(["1%", "done"]);
  expect(drawn(["1%\r", "2%\r", "\u001b[2K\r"], 0, "\n")).toEqual(["1%", "2%"]);
  expect(drawn(["1%\r", "1%"], 0, "\n")).toEqual(["1%"]);
});

test("the lines of a bar do not depend on how its bytes are cut", () => {
  const text = "1%\r2%\r\r\n\r가%\r나%\r\nend";
  const whole = drawn([text], 0, "");
  expect(whole).toEqual(["1%", "2%", "나%", "end"]);
  const bytes = Buffer.from(text);
  for (let at = 0; at <= bytes.length; at++) expect(split([bytes.subarray(0, at), bytes.subarray(at)])).toEqual(whole);
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
