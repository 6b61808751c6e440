import { z } from "@hono/zod-openapi";
import { idSchema } from "../../../contracts/index.ts";
import { BaramError } from "../../../platform/index.ts";
import {
  type BackfillChange,
  type BackfillRequest,
  changeBackfill,
  createBackfill,
  tryBackfill,
} from "../../../scheduler/commands/index.ts";
import { BACKFILL_ORDER_KEYS, type Db, findBackfill, listBackfills } from "../../../store/index.ts";
import { type Api, endpoint } from "../../endpoint.ts";
import { refusal } from "../../refuse.ts";
import { integer, iso } from "../fields.ts";
import { orderField, pageFields, readPageQuery } from "../paging.ts";
import { backfillBody, backfillListShape, backfillShape, dryRunListShape, toBackfill } from "./shapes.ts";

const tag = "Backfills";
const path = z.object({ backfill_id: integer(0, Number.MAX_SAFE_INTEGER) });
const BY_ID = [{ key: "id" as const, descending: false }];

const CHANGES: Record<BackfillChange, string> = {
  pause: "Starts no further runs of the backfill; its running runs continue",
  unpause: "Unpauses a backfill: runs start again",
  cancel: "Cancels the backfill: its queued runs fail, its running runs continue",
};

export function backfillRoutes(api: Api): void {
  const { store, clock } = api.resources;

  endpoint(
    api,
    "get /api/v2/backfills",
    {
      tag,
      summary: "Backfills of a DAG, the oldest first",
      access: "viewer",
      query: z.object({ ...pageFields, ...orderField, dag_id: idSchema }),
      answer: backfillListShape,
    },
    async ({ query, options }) => {
      const page = readPageQuery(query, options, BACKFILL_ORDER_KEYS, BY_ID);
      const { rows, total } = await listBackfills(store, { dagId: query.dag_id }, page);
      return { backfills: rows.map((row) => toBackfill(row, api.options.isSensitiveName)), total_entries: total };
    },
  );

  endpoint(
    api,
    "post /api/v2/backfills",
    {
      tag,
      summary: "Creates a backfill: runs for the dates of the DAG's schedule from from_date to to_date",
      access: "user",
      audit: "create_backfill",
      body: backfillBody,
      answer: backfillShape,
    },
    async ({ body, user, audit, resources }) => {
      const request = toRequest(body, user.name);
      const id = await withConfFaults(() => createBackfill(resources, request, new Date(clock.now())));
      const created = await mustFindBackfill(store, id);
      audit.dagId = body.dag_id;
      audit.extra = { backfill_id: id, from_date: iso(created.fromDate), to_date: iso(created.toDate) };
      return toBackfill(created, api.options.isSensitiveName);
    },
  );

  endpoint(
    api,
    "post /api/v2/backfills/dry_run",
    {
      tag,
      summary: "Lists the dates for which such a backfill would create a run or repeat one",
      access: "user",
      body: backfillBody,
      answer: dryRunListShape,
    },
    async ({ body, user, resources }) => {
      const request = toRequest(body, user.name);
      const dates = await withConfFaults(() => tryBackfill(resources, request, new Date(clock.now())));
      const backfills = dates.map((date) => ({
        logical_date: iso(date.logicalDate),
        partition_key: null,
        partition_date: null,
      }));
      return { backfills, total_entries: backfills.length };
    },
  );

  endpoint(
    api,
    "get /api/v2/backfills/{backfill_id}",
    { tag, summary: "One backfill", access: "viewer", params: path, answer: backfillShape },
    async ({ params }) => toBackfill(await mustFindBackfill(store, params.backfill_id), api.options.isSensitiveName),
  );

  for (const change of ["pause", "unpause", "cancel"] as const) {
    endpoint(
      api,
      `put /api/v2/backfills/{backfill_id}/${change}`,
      {
        tag,
        summary: CHANGES[change],
        access: "user",
        audit: `${change}_backfill`,
        params: path,
        answer: backfillShape,
      },
      async ({ params, user, audit }) => {
        audit.dagId = await changeBackfill(store, params.backfill_id, change, { user: user.name });
        return toBackfill(await mustFindBackfill(store, params.backfill_id), api.options.isSensitiveName);
      },
    );
  }
}

async function mustFindBackfill(db: Db, id: number) {
  const row = await findBackfill(db, id);
  if (!row)
    throw refusal("backfill_not_found", `There is no backfill ${id}. GET /api/v2/backfills?dag_id=… lists a DAG's.`, { id });
  return row;
}

function toRequest(body: z.infer<typeof backfillBody>, userName: string): BackfillRequest {
  return {
    dagId: body.dag_id,
    fromDate: body.from_date,
    toDate: body.to_date,
    dagRunConf: body.dag_run_conf ?? null,
    reprocessBehavior: body.reprocess_behavior,
    maxActiveRuns: body.max_active_runs,
    runBackwards: body.run_backwards,
    runOnLatestVersion: body.run_on_latest_version ?? true,
    triggeringUserName: userName,
  };
}

/** As in Airflow, a conf that does not match the params is a fault in the body of this request: 422 with its location. */
async function withConfFaults<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof BaramError) || error.code !== "conf_invalid") throw error;
    const faults = [{ loc: ["body", "dag_run_conf"], msg: error.message, type: "value_error" }];
    throw refusal("request_invalid", error.message, { faults });
  }
}
