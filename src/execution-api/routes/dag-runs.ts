import { z } from "zod";
import { DagRunState, idSchema, jsonObjectSchema, runIdSchema } from "../../contracts/index.ts";
import { countRuns, findPreviousRun, findRun } from "../../store/index.ts";
import { check, instantSchema, many, readJson, readQuery } from "../read-request.ts";
import { notFound, Refusal } from "../refusal.ts";
import { clearByTask, triggerDagRun } from "../trigger-dag-run.ts";
import { type AddRoute, ANY_TRY, type Asked } from "./route.ts";
import { dagRunShape } from "./shapes.ts";

const pathSchema = z.object({ dag: idSchema, run: runIdSchema });
const countSchema = z.object({
  dag_id: idSchema,
  logical_dates: many(instantSchema),
  run_ids: many(runIdSchema),
  states: many(z.enum(DagRunState)),
});
const previousSchema = z.object({ dag_id: idSchema, logical_date: instantSchema, state: z.enum(DagRunState).optional() });
const triggerSchema = z.strictObject({
  logical_date: instantSchema.nullish(),
  run_after: instantSchema.nullish(),
  conf: jsonObjectSchema.nullish(),
  reset_dag_run: z.boolean().default(false),
  note: z.string().nullish(),
  partition_key: z.null("Baram has no partitions").optional(),
});

export function addDagRunRoutes(add: AddRoute): void {
  add("GET", "/dag-runs/count", ANY_TRY, async ({ c, resources }) => {
    const query = check(countSchema, readQuery(c), "query");
    const filter = { dagId: query.dag_id, logicalDates: query.logical_dates, runIds: query.run_ids, states: query.states };
    return c.json(await countRuns(resources.store, filter));
  });

  add("GET", "/dag-runs/previous", ANY_TRY, (asked) => previous(asked, {}));
  // The path used by Airflow's first clients. As in Airflow, it hides a run whose id is "previous".
  add("GET", "/dag-runs/:dag/previous", ANY_TRY, (asked) => previous(asked, { dag_id: asked.c.req.param("dag") }));

  add("GET", "/dag-runs/:dag/:run", ANY_TRY, async (asked) => asked.c.json(dagRunShape(await runOf(asked))));

  add("GET", "/dag-runs/:dag/:run/state", ANY_TRY, async (asked) => asked.c.json({ state: (await runOf(asked)).state }));

  add("POST", "/dag-runs/:dag/:run", ANY_TRY, async ({ c, ...caller }) => {
    const { dag, run } = check(pathSchema, c.req.param(), "path");
    const body = check(triggerSchema, await readJson(c), "body");
    const request = {
      dagId: dag,
      runId: run,
      logicalDate: body.logical_date?.toISOString() ?? null,
      runAfter: body.run_after ?? null,
      conf: body.conf ?? {},
      resetDagRun: body.reset_dag_run,
      note: body.note ?? null,
    };
    const { runId, created } = await triggerDagRun(caller, request);
    if (!created && !body.reset_dag_run) {
      throw new Refusal(
        409,
        "already_exists",
        `DAG "${dag}" already has the run "${runId}". Choose another run id, or ask with reset_dag_run to clear that one.`,
        { dag_id: dag, run_id: runId },
      );
    }
    return c.body(null, 204);
  });

  add("POST", "/dag-runs/:dag/:run/clear", ANY_TRY, async ({ c, resources: { store }, ...calling }) => {
    const { dag, run } = check(pathSchema, c.req.param(), "path");
    await clearByTask(store, calling, dag, run);
    return c.body(null, 204);
  });
}

async function runOf({ c, resources }: Asked) {
  const { dag, run } = check(pathSchema, c.req.param(), "path");
  const found = await findRun(resources.store, dag, run);
  if (!found) throw notFound(`Run "${run}" of DAG "${dag}"`);
  return found;
}

async function previous({ c, resources }: Asked, fixed: object): Promise<Response> {
  const query = check(previousSchema, { ...readQuery(c), ...fixed }, "query");
  const run = await findPreviousRun(resources.store, query.dag_id, query.logical_date, query.state ?? null);
  return c.json(run && dagRunShape(run));
}
