import type { CallbackRequest } from "../../contracts/index.ts";
import { systemUser } from "../../platform/index.ts";
import { type ApiClient, ApiRefusal, askAgain } from "./api-client.ts";
import { type Attempt, contextForRunner } from "./attempt.ts";
import type { Batcher } from "./batcher.ts";

const user = systemUser();

/**
 * Asks the API to start it, stores its token, and returns the message for its runner. Throws ApiRefusal if it is not this worker's
 * to start.
 */
export async function askToStart(
  attempt: Attempt,
  { batcher, client, hostname, retryWindowMs }: { batcher: Batcher; client: ApiClient; hostname: string; retryWindowMs: number },
): Promise<NonNullable<Attempt["order"]>> {
  const { workload, modulePath } = attempt;
  if (workload.type === "ExecuteCallback") {
    // A callback fails after three hand-overs; a short outage of the API must not use them up.
    const path = `baram/callbacks/${attempt.id}/start`;
    const ask = (bearer: string) =>
      client.post<{ request: CallbackRequest; token: string }>(path, { token: workload.token }, bearer);
    const { request, token } = await askAgain(
      async () => {
        const { workerToken } = client;
        if (workerToken === null) return ask(workload.token);
        // If the API does not take the worker's token, it says for its own one what is missing.
        return ask(workerToken).catch((error: unknown) => {
          if (error instanceof ApiRefusal && error.status === 401) return ask(workload.token);
          throw error;
        });
      },
      { windowMs: retryWindowMs, outage: client.outage, what: "start a callback" },
    );
    attempt.token = token;
    return { type: "callback", modulePath, request };
  }
  // As in Airflow, the recorded process of the try is its supervisor, whichever process will run it.
  const facts = { id: attempt.id, token: workload.token, hostname, unixname: user, pid: process.pid };
  const context = await batcher.run(facts);
  attempt.token = context.token;
  const { id, dagId, runId, taskId, mapIndex, tryNumber } = workload.ti;
  const ti = { id, dagId, runId, taskId, mapIndex, tryNumber };
  return { type: "run", modulePath, ti, context: contextForRunner(context) };
}
