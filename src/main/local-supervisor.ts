/** The supervisor process of a local executor: takes its options and workloads over the IPC channel of its parent. */
import { hideEnvironment, isForUserCode, markOfThisProcess } from "../config/index.ts";
import { type FromSupervisor, SUPERVISOR_MARK, type ToSupervisor } from "../executors/index.ts";
import { createLogger } from "../platform/index.ts";
import { createSupervisor, type Supervisor, type SupervisorOptions } from "../worker/supervisor/index.ts";
import type { LogOptions } from "./log-options.ts";

/** How long running tasks may go on after the scheduler that started this process is gone. */
const ORPHAN_GRACE_MS = 24 * 3_600_000;

// Before anything that a task could be the child of. The roles warn if a system does not allow it.
hideEnvironment((name, value) => isForUserCode(name, value, []));

let logger = createLogger({ level: "info", role: "supervisor" });
let supervisor: Supervisor | null = null;

/**
 * The scheduler may die at any moment, and its tasks go on: a message that it does not get is no error. `disconnect` reports its
 * death.
 */
const say = (message: FromSupervisor) => process.connected && process.send?.(message, undefined, undefined, () => {});

process.on("message", (message: ToSupervisor) => {
  switch (message.type) {
    case "configure": {
      const options = message.options as SupervisorOptions & { log?: LogOptions };
      if (options.log) logger = createLogger({ ...options.log, role: "supervisor" });
      supervisor = createSupervisor(
        withMark(options),
        { done: (id) => say({ type: "done", id }), notStarted: (id, reason) => say({ type: "not_started", id, reason }) },
        logger,
      );
      say({ type: "ready" });
      return;
    }
    case "workloads":
      supervisor?.accept(message.workloads);
      return;
    case "revoke":
      supervisor?.revoke(message.id);
      return;
    case "drain":
      void end(message.graceMs);
      return;
  }
});
// The scheduler died: running tasks are completed and reported; waiting workloads are adopted by another scheduler.
process.on("disconnect", () => void end(ORPHAN_GRACE_MS));
process.on("error", (error) => logger.debug({ error: error.message }, "the channel to the scheduler is broken"));
process.on("SIGTERM", () => void end(0));
process.on("SIGINT", () => {});

/** Runners get a clean environment, plus the mark by which they are found if this process dies. */
function withMark(options: SupervisorOptions): SupervisorOptions {
  const mark = markOfThisProcess(SUPERVISOR_MARK);
  const name = mark[SUPERVISOR_MARK];
  return { ...options, environment: { ...options.environment, ...mark }, ...(name === undefined ? {} : { boxesName: name }) };
}

let ending = false;
async function end(graceMs: number): Promise<void> {
  if (ending) return;
  ending = true;
  await supervisor?.drain(graceMs);
  say({ type: "drained" });
  process.exit(0);
}
