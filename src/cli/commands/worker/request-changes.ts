import { BaramError } from "../../../platform/index.ts";
import { requestWorkerChanges, type WorkerChanges } from "../../../store/index.ts";
import { withStore } from "../../session.ts";
import type { Terminal } from "../../terminal.ts";
import { readQueues } from "./read-queues.ts";

const NO_CHANGE: WorkerChanges = { addQueues: [], removeQueues: [], shutdown: false };

export async function stopOne(terminal: Terminal, name: string): Promise<void> {
  await requestOf(terminal, name, { ...NO_CHANGE, shutdown: true }, "cli_worker_stop");
  terminal.print(`Worker ${name} was asked to stop. It learns this with its next heartbeat, finishes its tasks and exits.`);
}

export async function stopAll(terminal: Terminal, isAgreed: boolean): Promise<void> {
  await terminal.confirm(
    "All workers will exit, and no tasks of the queue executor start until you start new workers. Continue?",
    isAgreed,
  );
  await withStore(terminal, async ({ store, audit }) => {
    const names = await requestWorkerChanges(store, null, { ...NO_CHANGE, shutdown: true });
    await audit({ event: "cli_worker_shutdown", extra: { workers: names } });
    terminal.print(names.length === 0 ? "No worker is running." : `Asked to stop: ${names.join(", ")}.`);
  });
}

export async function changeQueues(terminal: Terminal, name: string, given: { add?: string; remove?: string }): Promise<void> {
  const addQueues = given.add === undefined ? [] : readQueues(given.add);
  const removeQueues = given.remove === undefined ? [] : readQueues(given.remove);
  await requestOf(terminal, name, { addQueues, removeQueues, shutdown: false }, "cli_worker_queues");
  terminal.print(`Worker ${name} was asked to change its queues. It does so with its next heartbeat.`);
}

async function requestOf(terminal: Terminal, name: string, changes: WorkerChanges, event: string): Promise<void> {
  await withStore(terminal, async ({ store, audit }) => {
    const [found] = await requestWorkerChanges(store, [name], changes);
    if (found === undefined)
      throw new BaramError("worker_not_found", `No worker "${name}" runs. \`baram worker list\` shows the ones there are.`, {
        name,
      });
    await audit({ event, extra: { worker: name, add: [...changes.addQueues], remove: [...changes.removeQueues] } });
  });
}
