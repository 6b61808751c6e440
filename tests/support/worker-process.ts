/**
 * `baram worker run` as an executor starts it: a process that has the API's URL and the workload, but none of the engine's
 * folders.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Config, readJwtSecret } from "../../src/config/index.ts";
import type { Workload } from "../../src/contracts/index.ts";
import { createTokens } from "../../src/platform/index.ts";
import { logPathOf } from "../../src/scheduler/commands/index.ts";
import type { Store } from "../../src/store/index.ts";
import { MAIN } from "../cli/run-cli.ts";

export type EndedWorker = { code: number | null; stdout: string; stderr: string };
export type WorkerProcess = {
  readonly child: ChildProcess;
  readonly ended: Promise<EndedWorker>;
  /** Its stderr so far. */
  stderr(): string;
};

export type WorkerOptions = { apiUrl: string; environment?: Record<string, string>; arguments?: string[] };

/** Default: the workload is in the environment, as in a container. */
export function startWorker(workload: Workload | string, options: WorkerOptions): WorkerProcess {
  const text = typeof workload === "string" ? workload : JSON.stringify(workload);
  const given = options.arguments ?? ["--workload", "env"];
  const folder = mkdtempSync(join(tmpdir(), "baram-elsewhere-"));
  const child = spawn(process.execPath, [MAIN, "worker", "run", ...given, "--api-url", options.apiUrl], {
    cwd: folder,
    env: { PATH: process.env.PATH ?? "", TMPDIR: folder, BARAM_WORKLOAD: text, ...options.environment },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let stdout = "";
  let stderr = "";
  child.stdout.on("data", (chunk: Buffer) => (stdout += chunk.toString("utf8")));
  child.stderr.on("data", (chunk: Buffer) => (stderr += chunk.toString("utf8")));
  const ended = new Promise<EndedWorker>((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (code) => resolve({ code, stdout, stderr }));
  });
  return { child, ended, stderr: () => stderr };
}

/** Queues a task of a run that no scheduler processes, and creates its workload as a scheduler does. */
export async function queueWorkload(
  { store, config }: { store: Store; config: Config },
  { dagId, runId, taskId }: { dagId: string; runId: string; taskId: string },
): Promise<Extract<Workload, { type: "ExecuteTask" }>> {
  await store.query("update dag_run set state = 'running', start_date = now() where dag_id = $1 and run_id = $2", [dagId, runId]);
  const { rows } = await store.query<{ id: string; try_number: number; module_hash: string }>(
    `update task_instance ti set state = 'queued', try_number = ti.try_number + 1, queued_dttm = now()
       from dag_version v where v.id = ti.dag_version_id and ti.dag_id = $1 and ti.run_id = $2 and ti.task_id = $3
     returning ti.id, ti.try_number, v.module_hash`,
    [dagId, runId, taskId],
  );
  const row = rows[0];
  if (!row) throw new Error(`there is no task ${taskId} in run ${runId}`);
  const ti = { dagId, runId, taskId, mapIndex: -1, tryNumber: row.try_number };
  return {
    type: "ExecuteTask",
    token: await createTokens(readJwtSecret(config)).sign("baram:workload", { subject: row.id }, 3_600),
    ti: { id: row.id, ...ti, poolSlots: 1, queue: "default", priorityWeight: 1, executorConfig: {} },
    moduleHash: row.module_hash,
    logPath: logPathOf(ti),
  };
}
