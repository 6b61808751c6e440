import type { Outcome } from "../contracts/index.ts";
import { finishByOutcome, reasonOf, type TryOutcome, tellFinished } from "../scheduler/commands/index.ts";
import { type Cipher, findToldFailures, triesByIds } from "../store/index.ts";
import { limitOutcome } from "./limit-outcome.ts";
import type { ReadFinish } from "./read-batch.ts";
import { Refusal, staleTry } from "./refusal.ts";
import type { ExecutionApiOptions, ExecutionApiResources } from "./resources.ts";
import { withStopReason } from "./stale-try.ts";
import { OVERDUE_SEC } from "./tokens.ts";

/** `failed`: the try failed instead of ending as reported, and why. */
export type FinishAnswer = Refusal | { failed?: string };

/** Finishes the tries whose token is valid for them. */
export async function finishBatch(
  resources: ExecutionApiResources,
  options: ExecutionApiOptions,
  items: readonly ReadFinish[],
): Promise<Map<string, FinishAnswer>> {
  const answers = new Map<string, FinishAnswer>();
  // Keyed by id, since the statement that finishes tries must not get the same id twice.
  const allowed = new Map<string, ReadFinish>();
  for (const item of items) {
    const claims = await resources.tokens.verify("baram:task", item.token, OVERDUE_SEC).catch(() => null);
    if (claims?.subject !== item.id)
      answers.set(item.id, new Refusal(401, "token_invalid", "The token is not valid for this try.", { id: item.id }));
    else if (!allowed.has(item.id)) allowed.set(item.id, item);
  }
  for (const [id, answer] of await finishVerified(resources, options, [...allowed.values()])) answers.set(id, answer);
  return answers;
}

/**
 * Finishes tries as reported; the caller has checked their tokens. A repeated report is answered with success again, since
 * the first answer may be lost.
 */
export async function finishVerified(
  { store, dags, cipher, metrics, logger }: ExecutionApiResources,
  options: ExecutionApiOptions,
  ends: readonly ReportedOutcome[],
): Promise<Map<string, FinishAnswer>> {
  const answers = new Map<string, FinishAnswer>();
  if (ends.length === 0) return answers;
  const storable = ends.map(({ id, outcome }) => sealDeferral(cipher, id, limitOutcome(outcome, options)));
  const finished = await finishByOutcome(store, dags, storable);
  tellFinished({ metrics, logger }, finished);
  for (const { id, refused } of finished) answers.set(id, failedInstead(ends, storable, id, refused));
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

type ReportedOutcome = TryOutcome & Pick<ReadFinish, "replaced">;

function failedInstead(
  reported: readonly ReportedOutcome[],
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

/** The arguments of a trigger and of the method to resume may hold secrets, so they are stored encrypted. */
function sealDeferral(cipher: Cipher, id: string, outcome: Outcome): TryOutcome {
  if (outcome.state !== "deferred") return { id, outcome };
  const seal = (value: object) => cipher.encrypt(JSON.stringify(value));
  return { id, outcome, sealed: { kwargs: seal(outcome.triggerKwargs), nextKwargs: seal(outcome.nextKwargs) } };
}
