import { existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Config } from "../config/index.ts";
import { FILE_MODE, findPackageRoot, type Logger, sleep } from "../platform/index.ts";
import { createDagCache, createDagRun } from "../scheduler/index.ts";
import { findDag, findRun, runProgress, type Store } from "../store/index.ts";
import { homeOfUser } from "./accounts.ts";
import { executorNames } from "./executors.ts";

const DEMO_DAG = "mall_customers_report";
/** The demo triggers this DAG itself. */
const DEMO_PART = "mall_customers_sort";

/** On the very first start: runs the demo DAG and prints its tasks as they end. */
export function runDemo(config: Config, store: Store, say: (line: string) => void, logger: Logger): { cancel(): void } {
  const stop = new AbortController();
  const marker = join(config.home, "demo_ran");
  if (config.core.load_examples && !existsSync(marker)) {
    play(config, store, say, stop.signal)
      .then((played) => played && writeFileSync(marker, `${new Date().toISOString()}\n`, { mode: FILE_MODE }))
      .catch((error: Error) => !stop.signal.aborted && logger.error({ error: error.message }, "the demo could not be run"));
  }
  return { cancel: () => stop.abort() };
}

async function play(config: Config, store: Store, say: (line: string) => void, signal: AbortSignal): Promise<boolean> {
  for (const dagId of [DEMO_DAG, DEMO_PART]) {
    while (!signal.aborted && !(await findDag(store, dagId))?.versionId) await sleep(100, signal);
  }
  if (signal.aborted) return false;
  // Absolute paths, so that it runs from whatever folder Baram was started in.
  // With run_as_user, the tasks cannot enter BARAM_HOME.
  const results = join(homeOfUser(config) ?? config.home, "demo");
  const conf = {
    input: join(findPackageRoot(), "examples", "data", "Mall_Customers.csv"),
    parquet: join(results, "mall_customers_sorted.parquet"),
    report: join(results, "mall_customers_report.txt"),
  };
  const request = { dagId: DEMO_DAG, conf, triggeredBy: "cli" as const, note: "The demo of the first start" };
  const { runId } = await createDagRun(store, createDagCache(), executorNames(config)[0] ?? "", request, new Date());
  say(`Running the demo DAG ${DEMO_DAG} (run ${runId}):`);
  const told = new Set<string>();
  while (!signal.aborted) {
    const run = await findRun(store, DEMO_DAG, runId);
    for (const task of await runProgress(store, [DEMO_DAG, DEMO_PART], run?.startDate ?? null)) {
      const line = `${task.dagId}.${task.taskId}: ${task.state}`;
      if (told.has(line)) continue;
      told.add(line);
      const took = task.duration === null ? "" : `  ${task.duration.toFixed(2)} s`;
      say(`  ${task.state === "success" ? "✔" : task.state === "failed" ? "✘" : "·"} ${line}${took}`);
    }
    if (run?.state === "success" || run?.state === "failed") {
      const seconds = run.startDate && run.endDate ? (run.endDate.getTime() - run.startDate.getTime()) / 1_000 : 0;
      say(
        `The demo ended: ${run.state} after ${seconds.toFixed(1)} s.${run.state === "success" ? ` Its report is ${conf.report}` : ""}`,
      );
      return true;
    }
    await sleep(100, signal);
  }
  return false;
}
