import { type CallbackRequest, callbackRequestSchema } from "../contracts/index.ts";
import { type Db, findRunByKey, startCallback } from "../store/index.ts";
import { Refusal } from "./refusal.ts";

/** Marks the callback as running and returns everything that its runner needs. 409 if it is no longer open. */
export async function beginCallback(db: Db, id: string): Promise<CallbackRequest> {
  const callback = await startCallback(db, id);
  const run = callback && (await findRunByKey(db, callback.dagRunId));
  if (!callback || !run) throw new Refusal(409, "callback_not_open", `Callback ${id} is not open any more.`, { id });
  const iso = (date: Date | null) => date?.toISOString() ?? null;
  return callbackRequestSchema.parse({
    ...callback.data,
    dagRun: {
      ...run,
      logicalDate: iso(run.logicalDate),
      dataIntervalStart: iso(run.dataIntervalStart),
      dataIntervalEnd: iso(run.dataIntervalEnd),
      runAfter: run.runAfter.toISOString(),
      startDate: iso(run.startDate),
      endDate: iso(run.endDate),
    },
  });
}
