import { z } from "@hono/zod-openapi";
import { idSchema, mapIndexSchema, runIdSchema, type TaskInstanceState } from "../../../contracts/index.ts";
import { clearRuns, type RunPick, type Touched } from "../../../scheduler/commands/index.ts";
import { findDag, findInstances, findRun, setRunNote } from "../../../store/index.ts";
import { endOfSpanAt, instantAt } from "../../../timetables/index.ts";
import { type Api, endpoint } from "../../endpoint.ts";
import { noSuchDag, refusal } from "../../refuse.ts";
import { mustFindRun } from "../dag-runs/routes.ts";
import { clearRunBody, dagRunShape, toDagRun } from "../dag-runs/shapes.ts";
import { dagPath, iso, note, optionalInstant, runPath } from "../fields.ts";
import { instanceListShape, toInstances } from "./shapes.ts";

/** A task id, or a task id and a map index. */
const chosenTask = z.union([idSchema, z.tuple([idSchema, mapIndexSchema])]);

const clearBody = z
  .strictObject({
    dry_run: z.boolean().default(true),
    dag_run_id: runIdSchema.nullable().optional(),
    start_date: optionalInstant,
    end_date: optionalInstant,
    task_ids: z
      .array(chosenTask)
      .min(1, "name at least one task, or leave task_ids out for all")
      .max(10_000)
      .nullable()
      .optional(),
    only_failed: z.boolean().default(true),
    only_running: z.boolean().default(false),
    include_upstream: z.boolean().default(false),
    include_downstream: z.boolean().default(false),
    include_past: z.boolean().default(false),
    include_future: z.boolean().default(false),
    reset_dag_runs: z.boolean().default(true),
    prevent_running_task: z.boolean().default(false),
    run_on_latest_version: z.boolean().nullable().optional(),
    note: note.optional(),
  })
  .refine((body) => !(body.only_failed && body.only_running), {
    message: "only_failed and only_running cannot both be true",
    path: ["only_running"],
  })
  .refine((body) => !body.dag_run_id || (!body.start_date && !body.end_date), {
    message: "give dag_run_id, or start_date and end_date, not both",
    path: ["dag_run_id"],
  })
  .openapi("ClearTaskInstancesBody");
type ClearBody = z.infer<typeof clearBody>;

const FAILED: readonly TaskInstanceState[] = ["failed", "upstream_failed"];

export function clearRoutes(api: Api): void {
  const { store, dags, defaultExecutor } = api.resources;
  const answer = async (touched: readonly Touched[]) => {
    const rows = await findInstances(store, touched);
    return { task_instances: await toInstances(store, api.facts, rows), total_entries: rows.length };
  };

  endpoint(
    api,
    "post /api/v2/dags/{dag_id}/clearTaskInstances",
    {
      tag: "Task instances",
      summary: "Clears task instances so that they run again; dry_run (the default) only lists them",
      access: "user",
      audit: "post_clear_task_instances",
      params: dagPath,
      body: clearBody,
      answer: instanceListShape,
    },
    async ({ params, body, user, audit }) => {
      const facts = await findDag(store, params.dag_id);
      if (!facts) throw noSuchDag(params.dag_id);
      const zone = facts.versionId === null ? "utc" : (await dags.get(store, facts.versionId)).graph.dag.timezone;
      const touched = await clearRuns(store, dags, {
        dagId: params.dag_id,
        by: { user: user.name },
        runs: pickOf(body, zone),
        taskIds: body.task_ids?.map((chosen) => (typeof chosen === "string" ? chosen : chosen[0])) ?? null,
        only: indexesOf(body.task_ids ?? []),
        directions: { upstream: body.include_upstream, downstream: body.include_downstream },
        states: body.only_failed ? FAILED : body.only_running ? ["running"] : null,
        resetRuns: body.reset_dag_runs,
        preventRunning: body.prevent_running_task,
        dryRun: body.dry_run,
        onLatestVersion: body.run_on_latest_version ? { defaultExecutor } : null,
        note: body.note,
      });
      audit.skip = body.dry_run;
      audit.runId = body.dag_run_id ?? undefined;
      audit.extra = { instances: touched.length };
      return answer(touched);
    },
  );

  endpoint(
    api,
    "post /api/v2/dags/{dag_id}/dagRuns/{dag_run_id}/clear",
    {
      tag: "DAG runs",
      summary: "Clears a whole run; dry_run (the default) only lists its task instances",
      access: "user",
      audit: "clear_dag_run",
      params: runPath,
      body: clearRunBody,
      answer: z.union([instanceListShape, dagRunShape]),
    },
    async ({ params, body, user, audit }) => {
      const { dag_id: dagId, dag_run_id: runId } = params;
      await mustFindRun(store, dagId, runId);
      const touched = await clearRuns(store, dags, {
        dagId,
        by: { user: user.name },
        runs: { kind: "one", runId, past: false, future: false },
        taskIds: null,
        directions: { upstream: false, downstream: false },
        states: body.only_failed ? FAILED : null,
        resetRuns: true,
        preventRunning: false,
        dryRun: body.dry_run,
        onLatestVersion: body.run_on_latest_version ? { defaultExecutor } : null,
      });
      audit.skip = body.dry_run;
      if (body.dry_run) return answer(touched);
      const run = body.note === undefined ? null : await findRun(store, dagId, runId);
      if (run) await setRunNote(store, run.id, body.note ?? null);
      return toDagRun(await mustFindRun(store, dagId, runId), api.options.isSensitiveName);
    },
  );
}

/** If a task is named both with and without map indexes, all its instances are chosen. */
function indexesOf(chosen: readonly z.infer<typeof chosenTask>[]) {
  const whole = new Set(chosen.filter((one) => typeof one === "string"));
  return chosen.flatMap((one) => (typeof one === "string" || whole.has(one[0]) ? [] : { taskId: one[0], mapIndex: one[1] }));
}

function pickOf(body: ClearBody, zone: string): RunPick {
  if (body.dag_run_id) return { kind: "one", runId: body.dag_run_id, past: body.include_past, future: body.include_future };
  if (body.include_past || body.include_future)
    throw refusal(
      "filter_invalid",
      "include_past and include_future need dag_run_id: they mean the runs before and after that one.",
    );
  const from = body.start_date ? instantAt(body.start_date, zone) : null;
  const to = body.end_date ? endOfSpanAt(body.end_date, zone) : null;
  if (from && to && to < from) {
    const msg = `end_date ${iso(to)} is before start_date ${iso(from)}`;
    throw refusal("request_invalid", `${msg}. Swap them.`, { faults: [{ loc: ["body", "end_date"], msg, type: "value_error" }] });
  }
  return { kind: "range", from, to };
}
