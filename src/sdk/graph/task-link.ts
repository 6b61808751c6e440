import { DagDefinitionError } from "../definition-error.ts";
import { checkOptionNames } from "../options/check-option-names.ts";
import { addEdge, Linkable, toLinks } from "./linkable.ts";
import { innermostGroup, requireScope } from "./scope.ts";
import type { Endpoint, TaskNode } from "./types.ts";

export type TeardownOptions = {
  /** The tasks that set up what this teardown takes down. They become setups and are placed upstream of the teardown. */
  setups?: TaskLink | readonly TaskLink[];
  /** A failure of the teardown fails the DAG run. Default false. */
  onFailureFailDagrun?: boolean;
};

/** A task in a DAG's graph: an operator, or the result of a task function. */
export abstract class TaskLink extends Linkable {
  abstract override readonly endpoint: Endpoint & { kind: "task" };

  /** Makes this task a setup; returns the task. */
  asSetup(): this {
    nodeOf(this).settings.isSetup = true;
    return this;
  }

  /**
   * Makes this task a teardown, like Airflow's `as_teardown`: it runs after all upstream tasks have ended if one of its setups
   * succeeded. Its failure does not fail the run unless `onFailureFailDagrun` is set. Returns the task.
   */
  asTeardown(options: TeardownOptions = {}): this {
    checkOptionNames("asTeardown()", options, { names: ["setups", "onFailureFailDagrun"] });
    const { setups = [], onFailureFailDagrun } = options;
    const { settings } = nodeOf(this);
    settings.isTeardown = true;
    settings.triggerRule = "all_done_setup_success";
    if (onFailureFailDagrun !== undefined) settings.onFailureFailDagrun = onFailureFailDagrun;
    for (const setup of toLinks("asTeardown({ setups })", setups) as readonly TaskLink[]) {
      setup.asSetup();
      addEdge(setup, this);
    }
    return this;
  }

  /**
   * Runs `body`, and places the tasks that it creates between this teardown and its setups: the first ones after the setups, the
   * last ones before the teardown. Scopes can be nested. Returns the result of `body`.
   *
   *     const cluster = create().asSetup();
   *     destroy(cluster).asTeardown({ setups: cluster }).around(() => chain(load(), check()));
   * @throws DagDefinitionError SETUP_TEARDOWN_INVALID
   */
  around<R>(body: () => R): R {
    const scope = requireScope(`the scope of teardown "${this.endpoint.id}"`);
    const { nodes, teardownScopes } = scope.draft;
    if (!nodeOf(this).settings.isTeardown) {
      throw new DagDefinitionError(
        "SETUP_TEARDOWN_INVALID",
        `around(): task "${this.endpoint.id}" is no teardown: call asTeardown({ setups: … }) first`,
        { taskId: this.endpoint.id },
      );
    }
    const before = new Set(nodes.keys());
    const result = body();
    const members = [...nodes.keys()].filter((taskId) => !before.has(taskId));
    teardownScopes.push({ teardownId: this.endpoint.id, members, groupId: innermostGroup(scope)?.groupId ?? null });
    return result;
  }
}

function nodeOf(link: TaskLink): TaskNode {
  const { draft, id } = link.endpoint;
  const node = draft.nodes.get(id);
  if (node !== undefined) return node;
  throw new DagDefinitionError("TASK_UNKNOWN_UPSTREAM", `DAG "${draft.dagId}" has no task "${id}"`, { taskId: id });
}
