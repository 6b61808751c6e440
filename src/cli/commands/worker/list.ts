import { listWorkers } from "../../../store/index.ts";
import { formatRows } from "../../output/index.ts";
import { withStore } from "../../session.ts";
import type { Terminal } from "../../terminal.ts";
import type { OutputOptions } from "../flags.ts";

const COLUMNS = ["name", "state", "hostname", "pid", "queues", "concurrency", "active", "last_heartbeat", "version"] as const;
const LISTED_MAX = 10_000;

export function listAll(terminal: Terminal, { output }: OutputOptions): Promise<void> {
  return withStore(terminal, async ({ store, config }) => {
    const page = { limit: LISTED_MAX, offset: 0, order: [] };
    const { rows } = await listWorkers(store, {}, page, config.workers.lost_after_sec);
    const shown = rows.map((row) => ({
      ...row,
      queues: row.queues.join(","),
      last_heartbeat: row.lastHeartbeat.toISOString(),
    }));
    terminal.print(formatRows(shown, COLUMNS, output));
  });
}
