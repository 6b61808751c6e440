/**
 * XComs. Any task may read; a write is bound to the try that asks, and its path must name that try's own task instance.
 * `item` and `slice` take one key of all of a task's map indexes as a list; an unmapped task's is a list of one.
 */
import { z } from "zod";
import { idSchema, jsonValueSchema, runIdSchema, XCOM_KEY_MAX } from "../../contracts/index.ts";
import { countXcoms, deleteXcomByTry, findXcomItem, findXcomValues, setMapLength, triesByIds } from "../../store/index.ts";
import { check, flagSchema, readJson, readQuery } from "../read-request.ts";
import { notFound, Refusal, staleTry } from "../refusal.ts";
import { answerCall } from "../runner-calls.ts";
import { sliceValues } from "../slice-values.ts";
import { type AddRoute, ANY_TRY, type Asked } from "./route.ts";

const PATH = "/xcoms/:dag/:run/:task/:key{.+}";

const indexSchema = z.coerce.number().int();
const pathSchema = z
  .object({ dag: idSchema, run: runIdSchema, task: idSchema, key: z.string().min(1).max(XCOM_KEY_MAX) })
  .transform(({ dag, run, task, key }) => ({ dagId: dag, runId: run, taskId: task, key }));
const headSchema = z.object({ map_index: indexSchema.min(-1).optional() });
const readSchema = z.object({
  map_index: indexSchema.min(-1).default(-1),
  include_prior_dates: flagSchema,
  offset: indexSchema.optional(),
});
const writeSchema = z.object({ map_index: indexSchema.min(-1).default(-1) });
const lengthSchema = z.object({ mapped_length: indexSchema.min(0).optional() });
const sliceSchema = z.object({
  start: indexSchema.optional(),
  stop: indexSchema.optional(),
  step: indexSchema.refine((step) => step !== 0, "must not be 0").optional(),
  include_prior_dates: flagSchema,
});

export function addXcomRoutes(add: AddRoute): void {
  // Registered before the route of the key, whose pattern would include what follows.
  add("GET", `${PATH}/item/:offset{-?[0-9]+}`, ANY_TRY, async (asked) => {
    const offset = check(indexSchema, asked.c.req.param("offset"), "path");
    return asked.c.json((await itemOf(asked, offset)).value);
  });

  add("GET", `${PATH}/slice`, ANY_TRY, async ({ c, resources }) => {
    const ref = check(pathSchema, c.req.param(), "path");
    const { start = null, stop = null, step = null, include_prior_dates } = check(sliceSchema, readQuery(c), "query");
    const values = await findXcomValues(resources.store, ref, include_prior_dates);
    return c.json(sliceValues(values, { start, stop, step }));
  });

  // HEAD requests are routed here too.
  add("GET", PATH, ANY_TRY, async (asked) => (asked.c.req.method === "HEAD" ? count(asked) : read(asked)));

  // The query parameter `dag_result` is ignored: Baram has no results of runs. `mapped_length` is sent with a result that other
  // tasks are mapped over.
  add("POST", PATH, ANY_TRY, async (asked) => {
    const { c, tryId, resources, options } = asked;
    const key = await ownKey(asked);
    const { mapped_length: length } = check(lengthSchema, readQuery(c), "query");
    if (length !== undefined && length > options.maxMapLength) {
      throw new Refusal(
        400,
        "unmappable_return_value_length",
        `XCom "${key}" has ${length} elements to map over; at most ${options.maxMapLength} are allowed ([core] max_map_length).`,
      );
    }
    const value = check(jsonValueSchema, await readJson(c), "body");
    if (length !== undefined && !(await setMapLength(resources.store, tryId, length))) throw staleTry(tryId);
    await answerCall({ tryId, resources, options }, "setXcom", { key, value });
    return c.json({ message: "XCom successfully written" }, 201);
  });

  add("DELETE", PATH, ANY_TRY, async (asked) => {
    const key = await ownKey(asked);
    if (!(await deleteXcomByTry(asked.resources.store, asked.tryId, key))) throw staleTry(asked.tryId);
    return asked.c.json({ message: `XCom with key: ${key} successfully deleted.` });
  });
}

async function read(asked: Asked): Promise<Response> {
  const { c, tryId, resources, options } = asked;
  const { key, ...place } = check(pathSchema, c.req.param(), "path");
  const { map_index: mapIndex, include_prior_dates: includePriorDates, offset } = check(readSchema, readQuery(c), "query");
  if (offset !== undefined) return c.json({ key, value: (await itemOf(asked, offset)).value });
  const params = { ...place, key, mapIndex, includePriorDates };
  const { found, value } = await answerCall({ tryId, resources, options }, "getXcom", params);
  if (!found) throw notFound(`XCom "${key}" of task "${place.taskId}" at map index ${mapIndex} in run "${place.runId}"`);
  return c.json({ key, value });
}

/** The count is in a header, since the answer to HEAD has no body. */
async function count({ c, resources }: Asked): Promise<Response> {
  const ref = check(pathSchema, c.req.param(), "path");
  const { map_index: mapIndex = null } = check(headSchema, readQuery(c), "query");
  c.header("Content-Range", `map_indexes ${await countXcoms(resources.store, ref, mapIndex)}`);
  return c.body(null, 200);
}

async function itemOf({ c, resources }: Asked, offset: number) {
  const ref = check(pathSchema, c.req.param(), "path");
  const item = await findXcomItem(resources.store, ref, offset);
  if (!item) throw notFound(`XCom "${ref.key}" of task "${ref.taskId}" at offset ${offset} in run "${ref.runId}"`);
  return item;
}

/** The path's key, if the rest of the path names the caller's own task instance. The write checks again that its try is running. */
async function ownKey({ c, tryId, resources }: Asked): Promise<string> {
  const { key, ...place } = check(pathSchema, c.req.param(), "path");
  const { map_index: mapIndex } = check(writeSchema, readQuery(c), "query");
  const [own] = await triesByIds(resources.store, [tryId]);
  if (!own) throw staleTry(tryId);
  if (own.dagId !== place.dagId || own.runId !== place.runId || own.taskId !== place.taskId || own.mapIndex !== mapIndex) {
    throw new Refusal(403, "xcom_of_another", "A task writes its own XComs only.", { dag_id: own.dagId, task_id: own.taskId });
  }
  return key;
}
