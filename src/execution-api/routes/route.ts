/**
 * Adds routes of the execution API so that the token is always checked before the handler runs: its kind, whose it is, and that its try
 * is running. Only /health and Baram's own calls are added without.
 */
import type { Context, Hono } from "hono";
import type { VerifiedToken } from "../../platform/index.ts";
import { findTryState } from "../../store/index.ts";
import type { CallLimits } from "../limit-calls.ts";
import { Refusal, TRY_NOT_RUNNING, workerNeeded } from "../refusal.ts";
import type { ApiResources, ExecutionApiOptions } from "../resources.ts";
import { withStopReason } from "../stale-try.ts";
import { OVERDUE_SEC, readBearer } from "../tokens.ts";

export type Deps = {
  readonly resources: ApiResources;
  readonly options: ExecutionApiOptions;
};

/** `isSelf`: the token must be the one of the `:id` in the path. `isOver`: the try need not be running. */
export type Scope = {
  readonly audience: "baram:task" | "baram:workload";
  readonly isSelf: boolean;
  readonly toleranceSec?: number;
  readonly isOver?: boolean;
};
/** Any running try or callback. */
export const ANY_TRY: Scope = { audience: "baram:task", isSelf: false };
/** The running try that the path names. */
export const OWN_TRY: Scope = { audience: "baram:task", isSelf: true };
/** The handler looks itself whether the try is running, and answers in its own way. */
export const OWN_TRY_UNCHECKED: Scope = { ...OWN_TRY, isOver: true };
export const OWN_TRY_OVERDUE: Scope = { ...OWN_TRY_UNCHECKED, toleranceSec: OVERDUE_SEC };
/** The workload, not yet started, that the path names. */
export const OWN_WORKLOAD: Scope = { audience: "baram:workload", isSelf: true, isOver: true };

/** One authorized request. `tryId` is the token's subject; `claims.expiresAt` in seconds since the epoch. */
export type Asked = Deps & {
  readonly c: Context;
  readonly tryId: string;
  readonly claims: VerifiedToken;
};
export type Handler = (asked: Asked) => Response | Promise<Response>;
export type AddRoute = (method: string, path: string, scope: Scope, handler: Handler) => void;

export function routesOf(app: Hono, deps: Deps, limits: CallLimits): AddRoute {
  return (method, path, scope, handler) => {
    app.on(method, path, limits.toOrAlone(), async (c) => {
      const claims = await deps.resources.tokens.verify(scope.audience, readBearer(c), scope.toleranceSec);
      const { subject } = claims;
      if (scope.isSelf && subject !== c.req.param("id"))
        throw new Refusal(403, "token_of_another", "The token is for another workload.");
      if (claims.needsWorker) throw workerNeeded(subject);
      try {
        if (!scope.isOver) await deps.resources.live.check(claims);
        return await handler({ ...deps, c, tryId: subject, claims });
      } catch (error) {
        throw await inAirflowsWords(error, deps.resources, subject);
      }
    });
  };
}

/** As Airflow does, tells the worker of a stale try which state it is in. */
async function inAirflowsWords(error: unknown, { store }: ApiResources, tryId: string): Promise<unknown> {
  if (!(error instanceof Refusal) || error.code !== TRY_NOT_RUNNING) return error;
  const found = await findTryState(store, tryId);
  const told = await withStopReason(store, error);
  return new Refusal(409, "invalid_state", (told instanceof Refusal ? told : error).message, {
    previous_state: found?.state ?? null,
  });
}
