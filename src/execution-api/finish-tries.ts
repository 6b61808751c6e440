import type { Outcome } from "../contracts/index.ts";
import type { VerifiedToken } from "../platform/index.ts";
import { finishByOutcome, reasonOf, type TryOutcome, tellFinished } from "../scheduler/commands/index.ts";
import { type Cipher, findToldFailures, secSinceEnd, triesByIds } from "../store/index.ts";
import { limitOutcome } from "./limit-outcome.ts";
import type { ReadFinish } from "./read-batch.ts";
import { Refusal, staleTry } from "./refusal.ts";
import type { ApiResources, ExecutionApiOptions } from "./resources.ts";
import { withStopReason } from "./stale-try.ts";
import { CALLBACKS_SEC, OVERDUE_SEC } from "./tokens.ts";

/** `failed`: the try failed instead of ending as reported, and why. `token`: for the calls of its callbacks. */
export type FinishAnswer = Refusal | { failed?: string; token?: string };

/** Finishes the tries whose token is valid for them. */
export async function finishBatch(
  resources: ApiResources,
  options: ExecutionApiOptions,
  items: readonly ReadFinish[],
): Promise<Map<string, FinishAnswer>> {
  const answers = new Map<string, FinishAnswer>();
  // Keyed by id, since the statement that finishes tries must not get the same id twice.
  const allowed = new Map<string, ReportedOutcome>();
  for (const item of items) {
    const claims = await resources.tokens.verify("baram:task", item.token, OVERDUE_SEC).catch(() => null);
    if (claims?.subject !== item.id)
      answers.set(item.id, new Refusal(401, "token_invalid", "The token is not valid for this try.", { id: item.id }));
    else if (!allowed.has(item.id)) allowed.set(item.id, { ...item, claims });
  }
  for (const [id, answer] of await finishVerified(resources, options, [...allowed.values()])) answers.set(id, answer);
  return answers;
}

/**
 * Finishes tries as reported; the caller has checked their tokens. A repeated report is answered with success again, since
 * the first answer may be lost.
 */
export async function finishVerified(
  resources: ApiResources,
  options: ExecutionApiOptions,
  ends: readonly ReportedOutcome[],
): Promise<Map<string, FinishAnswer>> {
  const { store, dags, cipher, metrics, logger, live } = resources;
  const answers = new Map<string, FinishAnswer>();
  if (ends.length === 0) return answers;
  const storable = ends.map(({ id, outcome }) => sealDeferral(cipher, id, limitOutcome(outcome, options)));
  const finished = await finishByOutcome(store, dags, storable);
  tellFinished({ metrics, logger }, finished);
  live.ended(ends.map(({ id }) => id));
  for (const { id, refused } of finished) {
    const token = await tokenForCallbacks(resources, ends, id, 0);
    answers.set(id, { ...failedInstead(ends, storable, id, refused), ...token });
  }
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
    if (!isStored) answers.set(id, (await withStopReason(store, staleTry(id))) as Refusal);
    else answers.set(id, await tokenForCallbacks(resources, ends, id, null));
  }
  return answers;
}

/** `claims`: of the token that it was reported with. */
type ReportedOutcome = TryOutcome & Pick<ReadFinish, "replaced"> & { claims?: VerifiedToken };

/**
 * The try's own token is worth nothing from now on, and its callbacks run only now. `sinceEndSec` null: it ended earlier. A report that
 * is repeated must not make the time longer, or whoever has an ended try's token could go on with it.
 */
async function tokenForCallbacks(
  { store, tokens }: ApiResources,
  ends: readonly ReportedOutcome[],
  id: string,
  sinceEndSec: number | null,
): Promise<{ token?: string }> {
  const { claims, outcome } = ends.find((one) => one.id === id) ?? {};
  if (!claims?.hasCallbacks || outcome?.state === "deferred" || outcome?.state === "up_for_reschedule") return {};
  const pastSec = sinceEndSec ?? (await secSinceEnd(store, id)) ?? CALLBACKS_SEC;
  if (pastSec >= CALLBACKS_SEC) return {};
  const { subject, logPath } = claims;
  return { token: await tokens.sign("baram:task", { subject, logPath, isForCallbacks: true }, CALLBACKS_SEC - pastSec) };
}

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
