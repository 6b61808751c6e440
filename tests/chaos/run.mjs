// npm run chaos -- [--seed N] [--only 6,7] [--minutes M] [--short] [--list]: runs the faults and prints the results.
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";

const { values } = parseArgs({
  options: {
    seed: { type: "string" },
    only: { type: "string" },
    minutes: { type: "string" },
    short: { type: "boolean" },
    list: { type: "boolean" },
  },
});
const root = join(dirname(fileURLToPath(import.meta.url)), "..", "..");
const folder = mkdtempSync(join(tmpdir(), "baram-chaos-report-"));
const report = join(folder, "report.ndjson");
const seed = values.seed ?? String(Math.floor(Math.random() * 1_000_000));
const vitest = join(root, "node_modules", "vitest", "vitest.mjs");
const config = join(root, "tests", "chaos", "vitest.config.ts");
const args = values.list ? ["list", "--config", config] : ["run", "--config", config];
if (!values.list) console.log(`chaos: seed ${seed} (repeat with --seed ${seed})`);

const { status } = spawnSync(process.execPath, [vitest, ...args], {
  cwd: root,
  stdio: "inherit",
  env: {
    ...process.env,
    CHAOS_SEED: seed,
    CHAOS_REPORT: report,
    ...(values.only ? { CHAOS_ONLY: values.only } : {}),
    ...(values.minutes ? { CHAOS_MINUTES: values.minutes } : {}),
    ...(values.short ? { CHAOS_SHORT: "1" } : {}),
  },
});
if (!values.list) printReport();
rmSync(folder, { recursive: true, force: true });
process.exit(status ?? 1);

function printReport() {
  let played = [];
  try {
    played = readFileSync(report, "utf8")
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line));
  } catch {
    console.log("chaos: no fault was played");
    return;
  }
  const rows = played.map((one) => [
    String(one.number),
    one.name,
    String(one.fired),
    one.checked.join(" "),
    one.fired === 0
      ? "NOT FIRED"
      : one.broken.length > 0
        ? `BROKEN ${one.broken.map((each) => each.invariant).join(" ")}`
        : "held",
    one.seconds.toFixed(1),
    one.note,
  ]);
  const head = ["#", "fault", "fired", "invariants", "result", "s", ""];
  const widths = head.map((title, at) => Math.max(title.length, ...rows.map((row) => row[at].length)));
  const line = (row) =>
    row
      .map((cell, at) => cell.padEnd(widths[at]))
      .join("  ")
      .trimEnd();
  console.log([line(head), line(widths.map((width) => "-".repeat(width))), ...rows.map(line)].join("\n"));
  const seconds = played.reduce((sum, one) => sum + one.seconds, 0);
  console.log(`chaos: ${played.length} faults in ${Math.round(seconds)} s, seed ${seed}`);
}
