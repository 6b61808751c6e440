/** Runs of the reference model and the simulator (ADR 0022), longer than in `npm test`. */
import { execFile } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { findPackageRoot } from "../../../src/platform/index.ts";
import type { Fault, FaultReport } from "../fault.ts";

export const modelFaults: readonly Fault[] = [
  {
    number: 47,
    name: "trigger-rule-matrix",
    injects: "every rule over every mixture of upstream states, held against the model",
    invariants: ["I7"],
    run: ({ random, isShort }) => runTests(["tests/model/trigger-rules.test.ts"], random.seed, isShort ? 10 : 100),
  },
  {
    number: 48,
    name: "random-dags",
    injects: "random DAGs, outcomes and orders, with crashes, lost answers and late reports, held against the model",
    invariants: ["I2", "I4", "I7"],
    timeoutSec: 300,
    run: ({ random, isShort }) =>
      runTests(["tests/model/scheduler.db.test.ts", "tests/simulator"], random.seed, isShort ? 50 : 300),
  },
];

type Report = {
  numPassedTests: number;
  testResults: { assertionResults: { status: string; fullName: string; failureMessages: string[] }[] }[];
};

/** Runs their tests with scenarios from this seed; the tests themselves check the scenarios and that harm is found. */
async function runTests(files: readonly string[], seed: number, runs: number): Promise<FaultReport> {
  const root = findPackageRoot();
  const folder = mkdtempSync(join(tmpdir(), "baram-chaos-model-"));
  const report = join(folder, "report.json");
  const vitest = join(root, "node_modules", "vitest", "vitest.mjs");
  const { PATH, HOME, TMPDIR } = process.env;
  try {
    await new Promise<void>((resolve) => {
      const args = [vitest, "run", "--project", "systems", "--reporter=json", `--outputFile=${report}`, ...files];
      const env = { PATH, HOME, TMPDIR, BARAM_SEED: String(seed), BARAM_RUNS: String(runs) };
      // The report contains more than the exit code.
      execFile(process.execPath, args, { cwd: root, env, maxBuffer: 64e6 }, () => resolve());
    });
    const { numPassedTests, testResults } = JSON.parse(readFileSync(report, "utf8")) as Report;
    const failed = testResults.flatMap((file) => file.assertionResults).filter((one) => one.status === "failed");
    const faults = failed.map((one) => `${one.fullName}: ${one.failureMessages.join(" ").slice(0, 2_000)}`);
    return { fired: numPassedTests, note: `BARAM_SEED=${seed} BARAM_RUNS=${runs}`, verdicts: [{ invariant: "I7", faults }] };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
