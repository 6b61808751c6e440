import type { Outcome } from "../contracts/index.ts";
import { endTries, reasonOf, type TryOutcome, tellEnds } from "../scheduler/commands/index.ts";
import { type Cipher, findToldFailures, triesByIds } from "../store/index.ts";
import { limitOutcome } from "./limit-outcome.ts";
import type { ReadEnd } from "./read-batch.ts";
import { Refusal, staleTry } from "./refusal.ts";
import type { ExecutionApiOptions, ExecutionApiResources } from "./resources.ts";
import { withStopReason } from "./stale-try.ts";
import { OVERDUE_SEC } from "./tokens.ts";

/** `failed`: the try failed instead of ending as reported, and why. */
export type EndAnswer = Refusal | { failed?: string };

/** Ends the tries whose token is theirs. */
export async function endBatch(
  resources: ExecutionApiResources,
  options: ExecutionApiOptions,
  items: readonly ReadEnd[],
): Promise<Map<string, EndAnswer>> {
  const answers = new Map<string, EndAnswer>();
  // By id: the statement that ends tries would take one that is named twice for two.
  const allowed = new Map<string, ReadEnd>();
  for (const item of items) {
    const claims = await resources.tokens.verify("baram:task", item.token, OVERDUE_SEC).catch(() => null);
    if (claims?.subject !== item.id)
      answers.set(item.id, new Refusal(401, "token_invalid", "The token is not valid for this try.", { id: item.id }));
    else if (!allowed.has(item.id)) allowed.set(item.id, item);
  }
  for (const [id, answer] of await endVerified(resources, options, [...allowed.values()])) answers.set(id, answer);
  return answers;
}

/**
 * Ends tries as reported; the caller has checked their tokens. The same report twice is answered with success twice, since
 * the first answer may be lost.
 */
export async function endVerified(
  { store, dags, cipher, metrics, logger }: ExecutionApiResources,
  options: ExecutionApiOptions,
  ends: readonly ReportedEnd[],
): Promise<Map<string, EndAnswer>> {
  const answers = new Map<string, EndAnswer>();
  if (ends.length === 0) return answers;
  const storable = ends.map(({ id, outcome }) => sealDeferral(cipher, id, limitOutcome(outcome, options)));
  const ended = await endTries(store, dags, storable);
  tellEnds({ metrics, logger }, ended);
  for (const { id, refused } of ended) answers.set(id, failedInstead(ends, storable, id, refused));
  const missing = storable.filter((one) => !answers.has(one.id));
  if (missing.length === 0) return answers;
  const facts = await triesByIds(
    store,
    missing.map((one) => one.id),
  );
  const states = new Map(facts.map((fact) => [fact.id, fact.state]));
  const failed = missing.filter(({ outcome }) => outcome.state === "failed");
  const told =
    failed.length > 0
      ? await findToldFailures(
          store,
          failed.map(({ id, outcome }) => ({ id, reason: reasonOf(outcome) })),
        )
      : new Set<string>();
  for (const { id, outcome } of missing) {
    const isStored = states.get(id) === outcome.state || told.has(id);
    answers.set(id, isStored ? {} : ((await withStopReason(store, staleTry(id))) as Refusal));
  }
  return answers;
}

type ReportedEnd = TryOutcome & Pick<ReadEnd, "replaced">;

function failedInstead(
  reported: readonly ReportedEnd[],
  storable: readonly TryOutcome[],
  id: string,
  refused: string | undefined,
): { failed?: string } {
  const report = reported.find((one) => one.id === id);
  const why = refused ?? report?.replaced;
  if (why !== undefined) return { failed: why };
  const stored = storable.find((one) => one.id === id)?.outcome;
  if (stored?.state !== "failed" || report?.outcome.state === "failed") return {};
  return { failed: stored.error.message };
}

/** What a task gives to its trigger and to itself may hold secrets: only who has the key can read it at rest. */
function sealDeferral(cipher: Cipher, id: string, outcome: Outcome): TryOutcome {
  if (outcome.state !== "deferred") return { id, outcome };
  const seal = (value: object) => cipher.encrypt(JSON.stringify(value));
  return { id, outcome, sealed: { kwargs: seal(outcome.triggerKwargs), nextKwargs: seal(outcome.nextKwargs) } };
}
