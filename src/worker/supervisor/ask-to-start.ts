import type { CallbackRequest } from "../../contracts/index.ts";
import { systemUser } from "../../platform/index.ts";
import { type ApiClient, askAgain } from "./api-client.ts";
import { type Attempt, contextForRunner } from "./attempt.ts";
import type { Batcher } from "./batcher.ts";

const user = systemUser();

/** Asks the API to let it run, takes over its token, and returns what its runner is to be told. Throws ApiRefusal when it is not ours to start. */
export async function askToStart(
  attempt: Attempt,
  { batcher, client, hostname, retryWindowMs }: { batcher: Batcher; client: ApiClient; hostname: string; retryWindowMs: number },
): Promise<NonNullable<Attempt["order"]>> {
  const { workload, modulePath } = attempt;
  if (workload.type === "ExecuteCallback") {
    // A callback is given up after three hand-overs; an API that is away for a moment must not use them up.
    const { request, token } = await askAgain(
      () => client.post<{ request: CallbackRequest; token: string }>(`baram/callbacks/${attempt.id}/start`, {}, attempt.token),
      retryWindowMs,
    );
    attempt.token = token;
    return { type: "callback", modulePath, request };
  }
  // As in Airflow, the process that answers for the try is its supervisor, whatever process will run it.
  const facts = { id: attempt.id, token: workload.token, hostname, unixname: user, pid: process.pid };
  const context = await batcher.run(facts);
  attempt.token = context.token;
  const { id, dagId, runId, taskId, mapIndex, tryNumber } = workload.ti;
  const ti = { id, dagId, runId, taskId, mapIndex, tryNumber };
  return { type: "run", modulePath, ti, context: contextForRunner(context) };
}
