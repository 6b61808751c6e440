// Idle with 500 DAGs, none due: CPU and memory of all processes, including PostgreSQL's, over two minutes.
import { readFileSync } from "node:fs";
import { rowOf } from "./report.mjs";
import { processTree, startStandalone } from "./standalone.mjs";

const DAGS = 500;
const WATCH_SEC = 120;

export async function measureIdle() {
  const files = {};
  const ids = [];
  for (let at = 0; at < DAGS; at++) {
    ids.push(`idle_${at}`);
    files[`idle_${at}.ts`] = `import { dag } from "baram";
import { EmptyOperator } from "baram/operators";
export default dag({ dagId: "idle_${at}", schedule: "@yearly", startDate: "2020-01-01" }, () => { new EmptyOperator({ taskId: "only" }); });`;
  }
  const startedAt = performance.now();
  const engine = await startStandalone(files, ids);
  const parsed = (performance.now() - startedAt) / 1_000;
  try {
    // First waits until the resources of the first pass (evaluation children, warm caches) are freed.
    await new Promise((resolve) => setTimeout(resolve, 30_000));
    const before = cpuSeconds(processTree(engine.pid));
    const sentBefore = await engine.statements();
    await new Promise((resolve) => setTimeout(resolve, WATCH_SEC * 1_000));
    // The last CPU time of a process that ended in between is lost; while idle, this hardly happens.
    const used = [...cpuSeconds(processTree(engine.pid))].reduce(
      (sum, [pid, seconds]) => sum + seconds - (before.get(pid) ?? 0),
      0,
    );
    const sent = (await engine.statements()) - sentBefore;
    return [
      rowOf("500 files, from start to all loaded", "s", [parsed], { atMost: 20 }, 1),
      rowOf("idle with 500 DAGs, CPU of all processes", "% of a core", [(used / WATCH_SEC) * 100], { atMost: 1 }),
      rowOf("… SQL statements per minute", "", [(sent / WATCH_SEC) * 60], {}, 0),
      rowOf("… memory of all processes (PSS)", "MB", [memoryMb(processTree(engine.pid))], { atMost: 350 }, 0),
    ];
  } finally {
    await engine.stop();
  }
}

/** CPU seconds so far, by pid. */
function cpuSeconds(pids) {
  const seconds = new Map();
  for (const pid of pids) {
    try {
      const fields = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1].split(" ");
      seconds.set(pid, (Number(fields[11]) + Number(fields[12])) / 100);
    } catch {
      // ended in between
    }
  }
  return seconds;
}

function memoryMb(pids) {
  let kb = 0;
  for (const pid of pids) {
    try {
      kb += Number(/^Pss:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, "utf8"))?.[1] ?? 0);
    } catch {
      // ended in between
    }
  }
  return kb / 1024;
}
