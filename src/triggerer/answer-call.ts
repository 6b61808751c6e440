import { BaramError, learnFromCall } from "../platform/index.ts";
import { TRIGGER_METHODS, type TriggerCalls, type TriggererStore, type TriggerLog, type TriggerMethod } from "./contract.ts";

/** Answers a trigger's call; the masker learns the secrets in it. Method and parameters may come from user code. */
export async function answerCall<M extends TriggerMethod>(
  store: TriggererStore,
  log: TriggerLog | undefined,
  method: M,
  params: TriggerCalls[M]["params"],
): Promise<TriggerCalls[M]["result"]> {
  if (!TRIGGER_METHODS.includes(method))
    throw new BaramError("method_unknown", `a trigger asked for "${method}", which there is not`);
  learn(log, method, params, null);
  if (method === "maskSecret") return null as TriggerCalls[M]["result"];
  const answer = await store.call(method, params as never);
  learn(log, method, params, answer);
  return answer as TriggerCalls[M]["result"];
}

function learn(log: TriggerLog | undefined, method: TriggerMethod, params: unknown, answer: unknown): void {
  if (log === undefined) return;
  learnFromCall(log.masker, method, params, answer);
  const warning = log.masker.takeWarning();
  if (warning !== null) log.write("warn", warning);
}
