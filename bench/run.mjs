// npm run bench [-- --rows 1,3 --runs 5 --peers]: measures the design's workloads on this machine and prints a table.
// Times come from the tasks themselves: each appends a line with its start and end to a file, all by the same clock.
import { cpus, totalmem } from "node:os";
import { measureEcsInFlight } from "./ecs-row.mjs";
import { measureChain, measureFanOut, measureFib, measureManyUnfinished, measureThreeSteps } from "./engine-rows.mjs";
import { measureIdle } from "./idle-row.mjs";
import { measurePeers } from "./peers/run-peers.mjs";
import { measureQueue } from "./queue-row.mjs";
import { measureReads } from "./reads-row.mjs";
import { option, table } from "./report.mjs";
import { measureSchedulerAlone } from "./scheduler-row.mjs";

const runs = Number(option("runs", "5"));
// `--rows none --peers` measures the peers only.
const rowNames = option("rows", "1,2,3,4,5,6,ecs,idle,queue,reads");
const wanted = rowNames === "none" ? [] : rowNames.split(",");
const measures = {
  1: measureChain,
  2: measureFib,
  3: measureFanOut,
  4: measureManyUnfinished,
  5: measureSchedulerAlone,
  6: measureThreeSteps,
  ecs: measureEcsInFlight,
  idle: measureIdle,
  queue: measureQueue,
  reads: measureReads,
};

console.log(
  `${cpus().length} × ${cpus()[0]?.model ?? "unknown CPU"}, ${(totalmem() / 2 ** 30).toFixed(0)} GiB, Node ${process.version}; median of ${runs} runs after one warm-up, full durability`,
);
const rows = [];
for (const name of wanted) {
  const measure = measures[name];
  if (!measure) throw new Error(`there is no row "${name}"; there are ${Object.keys(measures).join(", ")}`);
  process.stderr.write(`row ${name} …\n`);
  const measured = (await measure(runs)).map((row) => ({ row: name, ...row }));
  // Printed after each row, so that the results remain if a later row fails.
  process.stderr.write(`${table(measured)}\n`);
  rows.push(...measured);
}
if (process.argv.includes("--peers"))
  rows.push(...(await measurePeers(runs, option("peer", null))).map((row) => ({ row: "peer", ...row })));
console.log(table(rows));
if (rows.some((row) => row.reached === false)) process.exitCode = 1;
