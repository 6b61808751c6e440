import { z } from "zod";
import { durationSecSchema, type ExternalState, judgeExternal, type TriggerEnd } from "../../contracts/index.ts";
import { type BuiltinContext, createGate, poll } from "./builtin-context.ts";

const statesSchema = z.array(z.string().transform((state) => state as ExternalState)).optional();
const kwargsSchema = z.object({
  dagId: z.string().min(1),
  runIds: z.array(z.string()).optional(),
  logicalDates: z.array(z.iso.datetime({ offset: true })).optional(),
  taskIds: z.array(z.string()).optional(),
  taskGroupId: z.string().optional(),
  allowedStates: statesSchema,
  skippedStates: statesSchema,
  failedStates: statesSchema,
  pollIntervalSec: durationSecSchema.min(0.05).default(5),
});

/** Only a few query the database at once: more would only wait for its connections. */
const gate = createGate(4);

export async function runExternalTask(kwargs: unknown, ctx: BuiltinContext): Promise<TriggerEnd> {
  const { pollIntervalSec, ...wanted } = kwargsSchema.parse(kwargs);
  const { dagId, runIds = null, logicalDates = null, taskIds = null, taskGroupId = null } = wanted;
  let told = "";
  const verdict = await poll(ctx, pollIntervalSec, async () => {
    const answer = await gate(() => ctx.call("getTaskStates", { dagId, runIds, logicalDates, taskIds, taskGroupId }));
    const now = judgeExternal(
      {
        wantedRuns: (logicalDates ?? runIds ?? []).length,
        wantedTaskIds: taskIds,
        looksAtTasks: taskIds !== null || taskGroupId !== null,
        runs: answer.runs,
      },
      wanted,
    );
    if (now.kind !== "waiting") return now;
    if (now.reason !== told) ctx.log("debug", `DAG ${dagId}: ${now.reason}`);
    told = now.reason;
    return undefined;
  });
  return { kind: "event", payload: { kind: verdict.kind, reason: verdict.reason } };
}
