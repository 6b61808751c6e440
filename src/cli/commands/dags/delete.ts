import { removeDag } from "../../../scheduler/commands/index.ts";
import { findDag } from "../../../store/index.ts";
import { dagNotFound } from "../../find-things.ts";
import { withStore } from "../../session.ts";
import type { Terminal } from "../../terminal.ts";

export async function deleteOne(terminal: Terminal, dagId: string, options: { yes: boolean }): Promise<void> {
  await withStore(terminal, async ({ store, audit }) => {
    if (!(await findDag(store, dagId))) throw dagNotFound(dagId);
    await terminal.confirm(`This deletes DAG "${dagId}" with all its runs, task instances and XComs. Continue?`, options.yes);
    await removeDag(store, dagId);
    await audit({ event: "cli_dag_delete", dagId });
  });
  terminal.print(`DAG ${dagId} is deleted. If its file is still there, it comes back without its runs.`);
}
