import { requireDag } from "../../find-things.ts";
import { formatRows } from "../../output/index.ts";
import { withStore } from "../../session.ts";
import type { Terminal } from "../../terminal.ts";
import type { OutputOptions } from "../flags.ts";
import { drawTree } from "./draw-tree.ts";

export type ListOptions = OutputOptions & { tree: boolean };

export function listTasks(terminal: Terminal, dagId: string, { tree, output }: ListOptions): Promise<void> {
  return withStore(terminal, async ({ store }) => {
    const { dag } = await requireDag(store, dagId);
    if (tree) {
      terminal.print(drawTree(dag));
      return;
    }
    const rows = dag.tasks.map((task) => ({
      task_id: task.taskId,
      operator: task.operator,
      trigger_rule: task.triggerRule,
      upstream_task_ids: task.upstream,
      pool: task.pool,
      retries: task.retries,
    }));
    terminal.print(formatRows(rows, ["task_id", "operator", "trigger_rule", "upstream_task_ids"], output));
  });
}
