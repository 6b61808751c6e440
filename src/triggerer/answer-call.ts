import type { Connection } from "../contracts/index.ts";
import { BaramError } from "../platform/index.ts";
import { isSensitiveName } from "../task-logs/index.ts";
import { TRIGGER_METHODS, type TriggerCalls, type TriggererStore, type TriggerLog, type TriggerMethod } from "./contract.ts";

/** Answers a trigger's call, and masks secrets of the answer in its log. Method and parameters may come from user code. */
export async function answerCall<M extends TriggerMethod>(
  store: TriggererStore,
  log: TriggerLog | undefined,
  method: M,
  params: TriggerCalls[M]["params"],
): Promise<TriggerCalls[M]["result"]> {
  if (!TRIGGER_METHODS.includes(method))
    throw new BaramError("method_unknown", `a trigger asked for "${method}", which there is not`);
  const answer = await store.call(method, params);
  if (log !== undefined) hideSecrets(log, method, params, answer);
  return answer;
}

function hideSecrets(log: TriggerLog, method: TriggerMethod, params: object, answer: unknown): void {
  if (method === "getConnection" && answer !== null) {
    const { password, extra } = answer as Connection;
    if (password) log.hide(password);
    for (const [name, value] of Object.entries(extra)) if (typeof value === "string" && isSensitiveName(name)) log.hide(value);
  }
  if (method === "getVariable" && answer !== null && "key" in params && isSensitiveName(String(params.key))) {
    log.hide((answer as { value: string }).value);
  }
}
