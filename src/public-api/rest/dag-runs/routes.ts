import { z } from "@hono/zod-openapi";
import { DAG_RUN_STATES, DagRunType, INT4_MAX } from "../../../contracts/index.ts";
import { checkRunId, createDagRun, deleteDagRun, markRun, tellCreated } from "../../../scheduler/commands/index.ts";
import { COUNT_MAX, type Db, findDag, findRun, findRunRow, listRuns, RUN_ORDER_KEYS, setRunNote } from "../../../store/index.ts";
import { mayAct } from "../../auth/index.ts";
import { type Api, endpoint, noContent } from "../../endpoint.ts";
import { noSuchDag, noSuchRun, refusal } from "../../refuse.ts";
import {
  dagOrAllPath,
  dagPath,
  decimal,
  instant,
  integer,
  many,
  orNone,
  ranges,
  readDates,
  readNumbers,
  runPath,
  text,
} from "../fields.ts";
import { masked, orderField, pageFields, readPageQuery, updateMask } from "../paging.ts";
import { dagRunListShape, dagRunShape, patchRunBody, toDagRun, triggerBody } from "./shapes.ts";

const tag = "DAG runs";
const DATES = ["logical_date", "run_after", "start_date", "end_date", "updated_at"] as const;

const listQuery = z.object({
  ...pageFields,
  ...orderField,
  ...ranges(DATES, instant),
  ...ranges(["duration"], decimal),
  state: many(z.enum(DAG_RUN_STATES)),
  run_type: many(z.enum(DagRunType)),
  run_id_pattern: text.optional(),
  run_id_prefix_pattern: text.optional(),
  dag_id_pattern: text.optional(),
  dag_id_prefix_pattern: text.optional(),
  triggering_user_name_pattern: text.optional(),
  triggering_user_name_prefix_pattern: text.optional(),
  dag_version: many(integer(1, INT4_MAX)),
  conf_contains: text.optional(),
});

export async function mustFindRun(db: Db, dagId: string, runId: string) {
  const row = await findRunRow(db, dagId, runId);
  if (!row) throw (await findDag(db, dagId)) ? noSuchRun(dagId, runId) : noSuchDag(dagId);
  return row;
}

export function dagRunRoutes(api: Api): void {
  endpoint(
    api,
    "get /api/v2/dags/{dag_id}/dagRuns",
    {
      tag,
      summary: "Runs of a DAG, or of all with ~",
      access: "viewer",
      params: dagOrAllPath,
      query: listQuery,
      answer: dagRunListShape,
    },
    async ({ params, query, resources, options, user }) => {
      const dagIds = orNone(params.dag_id);
      if (dagIds && !(await findDag(resources.store, params.dag_id))) throw noSuchDag(params.dag_id);
      const filter = {
        dagIds,
        states: query.state,
        runTypes: query.run_type,
        runIdPattern: query.run_id_pattern,
        runIdPrefix: query.run_id_prefix_pattern,
        dagIdPattern: query.dag_id_pattern,
        dagIdPrefix: query.dag_id_prefix_pattern,
        userPattern: query.triggering_user_name_pattern,
        userPrefix: query.triggering_user_name_prefix_pattern,
        versionNumbers: query.dag_version,
        confContains: query.conf_contains,
        ranges: { ...readDates(query, DATES), ...readNumbers(query, ["duration"]) },
      };
      const page = readPageQuery(query, options, RUN_ORDER_KEYS);
      const isByConf = query.conf_contains !== undefined || page.order.some(({ key }) => key === "conf");
      // A conf may hold secrets. They are hidden in answers, and a filter or an order could find them letter by letter.
      if (isByConf && !mayAct(user.role, "op"))
        throw refusal(
          "role_too_low",
          `A filter or order by conf needs the role op; "${user.name}" is ${user.role}. Ask an administrator.`,
        );
      const { rows, total } = await listRuns(resources.store, filter, page);
      return {
        dag_runs: rows.map((row) => toDagRun(row, api.options.isSensitiveName)),
        total_entries: total,
        total_entries_limit: COUNT_MAX,
      };
    },
  );

  endpoint(
    api,
    "get /api/v2/dags/{dag_id}/dagRuns/{dag_run_id}",
    { tag, summary: "One run", access: "viewer", params: runPath, answer: dagRunShape },
    async ({ params, resources }) =>
      toDagRun(await mustFindRun(resources.store, params.dag_id, params.dag_run_id), api.options.isSensitiveName),
  );

  endpoint(
    api,
    "post /api/v2/dags/{dag_id}/dagRuns",
    {
      tag,
      summary: "Triggers a run; its logical_date is now if absent, and none if null",
      access: "user",
      audit: "trigger_dag_run",
      params: dagPath,
      body: triggerBody,
      answer: dagRunShape,
    },
    async ({ params, body, user, audit, resources, options }) => {
      const { store, dags, defaultExecutor, clock } = resources;
      checkRunId(body.dag_run_id, options.allowedRunId);
      const request = {
        dagId: params.dag_id,
        runId: body.dag_run_id,
        logicalDate: body.logical_date === undefined ? "now" : body.logical_date,
        dataIntervalStart: body.data_interval_start,
        dataIntervalEnd: body.data_interval_end,
        runAfter: body.run_after,
        conf: body.conf ?? {},
        note: body.note,
        triggeredBy: "rest_api" as const,
        triggeringUserName: user.name,
        mayBeInFuture: options.allowTriggerInFuture,
      };
      const created = await createDagRun(store, dags, defaultExecutor, request, new Date(clock.now()));
      tellCreated(resources, created);
      audit.runId = created.runId;
      return toDagRun(await mustFindRun(store, created.dagId, created.runId), api.options.isSensitiveName);
    },
  );

  endpoint(
    api,
    "patch /api/v2/dags/{dag_id}/dagRuns/{dag_run_id}",
    {
      tag,
      summary: "Sets a run's state (success, failed, queued) or note",
      access: "user",
      audit: "patch_dag_run",
      params: runPath,
      query: z.object(updateMask),
      body: patchRunBody,
      answer: dagRunShape,
    },
    async ({ params, query, body, user, audit, resources }) => {
      const { store } = resources;
      const { dag_id: dagId, dag_run_id: runId } = params;
      const change = masked(body, query.update_mask, ["state", "note"]);
      await mustFindRun(store, dagId, runId);
      if (change.state) {
        audit.extra = { state: change.state };
        await markRun(store, resources.dags, dagId, runId, change.state, { user: user.name });
      }
      // A given note replaces the line that says who set the state. The audit log has that as well.
      if (change.note !== undefined) {
        const run = await findRun(store, dagId, runId);
        if (run) await setRunNote(store, run.id, change.note);
      }
      return toDagRun(await mustFindRun(store, dagId, runId), api.options.isSensitiveName);
    },
  );

  endpoint(
    api,
    "delete /api/v2/dags/{dag_id}/dagRuns/{dag_run_id}",
    {
      tag,
      summary: "Deletes a run that is not running",
      access: "user",
      audit: "delete_dag_run",
      params: runPath,
      answer: z.null(),
    },
    async ({ params, resources, c }) => {
      await mustFindRun(resources.store, params.dag_id, params.dag_run_id);
      await deleteDagRun(resources.store, params.dag_id, params.dag_run_id);
      return noContent(c);
    },
  );
}
