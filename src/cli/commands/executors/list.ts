import { loadConfig } from "../../../config/index.ts";
import { configuredExecutors, EXECUTOR_KINDS } from "../../../main/executors.ts";
import { formatRows } from "../../output/index.ts";
import type { Terminal } from "../../terminal.ts";
import type { OutputOptions } from "../flags.ts";

const COLUMNS = ["name", "alias", "is_default", "runs_a_task"] as const;

export async function listExecutors(terminal: Terminal, { output }: OutputOptions): Promise<void> {
  const rows = configuredExecutors(loadConfig()).map(({ name, alias }, at) => ({
    name,
    alias,
    is_default: at === 0,
    runs_a_task: EXECUTOR_KINDS[name]?.docs.runs ?? "",
  }));
  terminal.print(formatRows(rows, COLUMNS, output));
}
