import { loadConfig } from "../../../config/index.ts";
import { readWorkload } from "../../../main/worker-run/read-workload.ts";
import { runWorkloadUntilStopped } from "../../../main/worker-run/run-until-stopped.ts";
import type { Terminal } from "../../terminal.ts";

export type RunOptions = { workload: string; apiUrl?: string };

export async function runWorkload(terminal: Terminal, options: RunOptions): Promise<void> {
  const workload = readWorkload(options.workload);
  terminal.note(await runWorkloadUntilStopped(workload, { config: loadConfig(), apiUrl: options.apiUrl }));
}
