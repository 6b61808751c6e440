import type { BatchItem, Outcome } from "../contracts/index.ts";
import { endTries } from "../scheduler/commands/index.ts";
import { triesByIds } from "../store/index.ts";
import { Refusal, staleTry } from "./refusal.ts";
import type { ExecutionApiOptions, ExecutionApiResources } from "./resources.ts";

type FinishItem = Extract<BatchItem, { op: "finish" }>;

/** A worker cut off from the API for a while reports with a token that aged meanwhile; the try's id still fences it. */
const OVERDUE_SEC = 3_600;

/** Ends tries as reported. The same report twice is answered with success twice, since the first answer may be lost. */
export async function endBatch(
  resources: ExecutionApiResources,
  options: ExecutionApiOptions,
  items: readonly FinishItem[],
): Promise<Map<string, null | Refusal>> {
  const { store, dags, tokens } = resources;
  const answers = new Map<string, null | Refusal>();
  const allowed: FinishItem[] = [];
  for (const item of items) {
    const claims = await tokens.verify("baram:task", item.token, OVERDUE_SEC).catch(() => null);
    if (claims?.subject !== item.id)
      answers.set(item.id, new Refusal(401, "token_invalid", "The token is not valid for this try.", { id: item.id }));
    else allowed.push({ ...item, outcome: withinLimits(item.outcome, options.xcomMaxBytes) });
  }
  if (allowed.length === 0) return answers;
  for (const ended of await endTries(store, dags, allowed)) answers.set(ended.id, null);
  const missing = allowed.filter((item) => !answers.has(item.id));
  if (missing.length === 0) return answers;
  const facts = new Map(
    (
      await triesByIds(
        store,
        missing.map((item) => item.id),
      )
    ).map((fact) => [fact.id, fact.state]),
  );
  for (const { id, outcome } of missing) answers.set(id, facts.get(id) === outcome.state ? null : staleTry(id));
  return answers;
}

/** The runner checks sizes too, and with a better message; a worker is not trusted to have done so. */
function withinLimits(outcome: Outcome, xcomMaxBytes: number): Outcome {
  const tooLarge =
    "xcoms" in outcome ? outcome.xcoms.find((xcom) => Buffer.byteLength(JSON.stringify(xcom.value)) > xcomMaxBytes) : undefined;
  if (!tooLarge) return outcome;
  const message = `XCom "${tooLarge.key}" is larger than ${xcomMaxBytes} bytes ([xcom] max_size_bytes). Store the data outside and pass a reference.`;
  return { state: "failed", retryable: false, error: { name: "XComTooLargeError", message, stack: null }, xcoms: [] };
}
