import { z } from "@hono/zod-openapi";
import { markInstances, type Touched } from "../../../scheduler/commands/index.ts";
import { findInstances, setInstanceNotes } from "../../../store/index.ts";
import { type Api, type Call, endpoint } from "../../endpoint.ts";
import { refusal } from "../../refuse.ts";
import { mapIndexField, note, taskPath } from "../fields.ts";
import { masked, updateMask } from "../paging.ts";
import { mustFindInstances } from "./find-instance.ts";
import { instanceListShape, toInstances } from "./shapes.ts";

const tag = "Task instances";
const base = "/api/v2/dags/{dag_id}/dagRuns/{dag_run_id}/taskInstances/{task_id}" as const;

const patchBody = z
  .strictObject({
    new_state: z.enum(["success", "failed", "skipped"]).nullable().optional(),
    note: note.optional(),
    include_upstream: z.boolean().default(false),
    include_downstream: z.boolean().default(false),
    include_past: z.boolean().default(false),
    include_future: z.boolean().default(false),
  })
  .openapi("PatchTaskInstanceBody");
const query = z.object({ ...updateMask, map_index: mapIndexField.optional() });
const mappedPath = taskPath.extend({ map_index: mapIndexField });

type MarkCall = Pick<
  Call<z.infer<typeof taskPath>, z.infer<typeof query>, z.infer<typeof patchBody>>,
  "params" | "query" | "body" | "user" | "audit"
>;

/** Sets the state of task instances, or their note; `dry_run` only names those whose state would change. */
export function markRoutes(api: Api): void {
  const { store, dags } = api.resources;

  async function mark(call: MarkCall, dryRun: boolean) {
    const { params, body, audit } = call;
    const change = masked(body, call.query.update_mask?.flatMap(maskNames), MASKABLE);
    const instances = await mustFindInstances(store, params, call.query.map_index);
    if (!change.new_state && change.note === undefined)
      throw refusal("filter_invalid", "The request changes nothing: give new_state or note.");
    const mapIndex = call.query.map_index ?? null;
    let touched: Touched[] = instances;
    if (change.new_state) {
      touched = await markInstances(store, dags, {
        dagId: params.dag_id,
        by: { user: call.user.name },
        runs: { kind: "one", runId: params.dag_run_id, past: body.include_past, future: body.include_future },
        taskId: params.task_id,
        mapIndex,
        directions: { upstream: body.include_upstream, downstream: body.include_downstream },
        state: change.new_state,
        dryRun,
        note: change.note,
      });
      audit.extra = { new_state: change.new_state, instances: touched.length };
    }
    if (dryRun) audit.skip = true;
    else if (change.note !== undefined)
      await setInstanceNotes(store, instances[0].dagRunId, { taskIds: [params.task_id], mapIndex }, change.note);
    const rows = await findInstances(store, touched);
    return { task_instances: await toInstances(store, api.facts, rows), total_entries: rows.length };
  }

  const shared = { tag, access: "user", audit: "patch_task_instance", body: patchBody, answer: instanceListShape } as const;
  const summary = "Sets the state or the note of a task instance and, if requested, the state of related ones";
  const dry = "Lists the task instances that such a change would affect";
  endpoint(api, `patch ${base}`, { ...shared, summary, params: taskPath, query }, (call) => mark(call, false));
  endpoint(api, `patch ${base}/dry_run`, { ...shared, summary: dry, params: taskPath, query }, (call) => mark(call, true));
  const maskOnly = z.object(updateMask);
  const withIndex = (call: Call<z.infer<typeof mappedPath>, z.infer<typeof maskOnly>, z.infer<typeof patchBody>>): MarkCall => ({
    ...call,
    query: { ...call.query, map_index: call.params.map_index },
  });
  endpoint(api, `patch ${base}/{map_index}`, { ...shared, summary, params: mappedPath, query: maskOnly }, (call) =>
    mark(withIndex(call), false),
  );
  endpoint(api, `patch ${base}/{map_index}/dry_run`, { ...shared, summary: dry, params: mappedPath, query: maskOnly }, (call) =>
    mark(withIndex(call), true),
  );
}

const MASKABLE = ["new_state", "note", "include_upstream", "include_downstream", "include_past", "include_future"];

/** Airflow's clients name the field by its column, `state`. */
function maskNames(name: string): string[] {
  return name.split(",").map((one) => (one === "state" ? "new_state" : one));
}
