/** Creates a test for each selected fault; the results are written to a file for the report. */
import { appendFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { contextOf, type Fault } from "./fault.ts";

export type Played = {
  number: number;
  name: string;
  fired: number;
  /** Invariants that were checked. */
  checked: string[];
  broken: { invariant: string; faults: string[] }[];
  note: string;
  seconds: number;
};

/** Seed from CHAOS_SEED, otherwise from the clock: each run of the suite tests another history. */
export const seed = Number(process.env.CHAOS_SEED ?? Math.floor(Date.now() / 1_000) % 1_000_000);

export function playFaults(faults: readonly Fault[], options: { isShort: boolean; deadlineMs?: number }): void {
  describe(`with --seed ${seed}`, () => {
    for (const fault of faults)
      test(
        `${fault.number} ${fault.name}: ${fault.injects}`,
        async (context) => {
          if (options.deadlineMs !== undefined && Date.now() > options.deadlineMs) return context.skip("the minutes are over");
          const startedAt = Date.now();
          const played: Played = {
            number: fault.number,
            name: fault.name,
            fired: 0,
            checked: [],
            broken: [],
            note: "",
            seconds: 0,
          };
          try {
            const { fired, verdicts, note } = await fault.run(
              contextOf(fault, seed, { isShort: options.isShort, atEnd: (work) => context.onTestFinished(work, 60_000) }),
            );
            played.fired = fired;
            played.checked = verdicts.map((one) => one.invariant);
            played.broken = verdicts.filter((one) => one.faults.length > 0);
            played.note = note ?? "";
          } catch (error) {
            played.broken.push({ invariant: "run", faults: [(error as Error).message] });
            throw error;
          } finally {
            played.seconds = (Date.now() - startedAt) / 1_000;
            if (process.env.CHAOS_REPORT) appendFileSync(process.env.CHAOS_REPORT, `${JSON.stringify(played)}\n`);
          }
          expect(played.fired, "the fault never fired, so nothing was proved").toBeGreaterThan(0);
          expect(
            played.broken.map(
              ({ invariant, faults: all }) => `${invariant}: ${all.length} times, first: ${all.slice(0, 5).join("; ")}`,
            ),
            `seed ${seed}`,
          ).toEqual([]);
        },
        (fault.timeoutSec ?? 180) * 1_000,
      );
  });
}
