import {
  appendFileSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { expect, test } from "vitest";
import { createApiCarrier } from "./api-carrier.ts";
import { type LogPiece, receivePiece } from "./log-receiver.ts";

/**
 * Events during the transfer of a log: `size` lines are written; an answer is lost; a piece arrives twice; another writer appends
 * to the file; a crash truncates the last bytes. The worker keeps the last `inMemory` bytes of its own log.
 */
const steps = fc.array(
  fc.record({
    lines: fc.array(fc.string({ unit: "grapheme", maxLength: 60 }), { maxLength: 4 }),
    inMemory: fc.oneof(fc.constant(0), fc.nat(400)),
    fault: fc.constantFrom("none", "none", "lost answer", "twice", "note", "crash"),
  }),
  { minLength: 1, maxLength: 12 },
);

test("whatever answers are lost, pieces come twice, notes and crashes come between: each line is there once, in order, and nothing else", async () => {
  await fc.assert(
    fc.asyncProperty(steps, async (history) => {
      const folder = mkdtempSync(join(tmpdir(), "baram-carrier-"));
      try {
        const own = join(folder, "own.log");
        const log = join(folder, "kept", "attempt=1.log");
        let fault: (typeof history)[number]["fault"] = "none";
        let notes = 0;
        const note = () => existsSync(log) && appendFileSync(log, `{"at":1,"note":${notes++}}\n`);
        const receive = (piece: LogPiece) =>
          receivePiece({ folder: join(folder, "kept"), maxFileBytes: 1_000_000 }, "attempt=1.log", piece);
        const carrier = createApiCarrier(
          async (piece) => {
            const was = existsSync(log) ? statSync(log).size : 0;
            const answer = receive(piece);
            const now = fault;
            fault = "none";
            if (now === "twice") expect(receive(piece)).toEqual(answer);
            if (now === "note") note();
            // A crash within a piece. If the piece has a mark, its bytes are in the file; log-receiver.test.ts covers a crash
            // between the two.
            if (now === "crash" && !answer.isMarked) truncateSync(log, was + Math.floor((statSync(log).size - was) / 2));
            if (now === "lost answer" || now === "crash") throw new Error("no answer");
            return answer;
          },
          () => false,
        );
        writeFileSync(own, "");
        const carry = (isEnd: boolean, inMemory = 0) => {
          const sizeBytes = statSync(own).size;
          const tail = readFileSync(own).subarray(Math.max(0, sizeBytes - inMemory));
          return carrier.carry({ folder, path: "own.log" }, sizeBytes, tail, isEnd).catch(() => null);
        };
        let n = 0;
        for (const { lines, fault: next, inMemory } of history) {
          for (const text of lines) appendFileSync(own, `${JSON.stringify({ at: 1, line: n++, text })}\n`);
          fault = next;
          await carry(false, inMemory);
        }
        fault = "none";
        while ((await carry(true)) === null);
        const kept = existsSync(log) ? readFileSync(log, "utf8").split("\n") : [""];
        expect(kept.filter((line) => !line.includes('"note"')).join("\n")).toBe(readFileSync(own, "utf8"));
        expect(kept.filter((line) => line.includes('"note"'))).toHaveLength(notes);
        if (existsSync(log)) expect(readdirSync(join(folder, "kept"))).toEqual(["attempt=1.log"]);
      } finally {
        rmSync(folder, { recursive: true });
      }
    }),
    { numRuns: 300 },
  );
});
