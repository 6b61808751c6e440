/**
 * Adds routes of the execution API so that the token is always checked before the handler runs. Only /health and the calls with a
 * token per item are added without.
 */
import type { Context, Hono } from "hono";
import type { TokenClaims } from "../../platform/index.ts";
import { findTryState } from "../../store/index.ts";
import { Refusal, TRY_NOT_RUNNING } from "../refusal.ts";
import type { ExecutionApiOptions, ExecutionApiResources } from "../resources.ts";
import { withStopReason } from "../stale-try.ts";
import { OVERDUE_SEC, readBearer } from "../tokens.ts";

export type Deps = { readonly resources: ExecutionApiResources; readonly options: ExecutionApiOptions };

/** `isSelf`: the token must be the one of the `:id` in the path. */
export type Scope = {
  readonly audience: "baram:task" | "baram:workload";
  readonly isSelf: boolean;
  readonly toleranceSec?: number;
};
/** Any running try. */
export const ANY_TRY: Scope = { audience: "baram:task", isSelf: false };
/** The running try that the path names. */
export const OWN_TRY: Scope = { audience: "baram:task", isSelf: true };
export const OWN_TRY_OVERDUE: Scope = { ...OWN_TRY, toleranceSec: OVERDUE_SEC };
/** The workload, not yet started, that the path names. */
export const OWN_WORKLOAD: Scope = { audience: "baram:workload", isSelf: true };

/** One authorized request. `tryId` is the token's subject; `claims.expiresAt` in seconds since the epoch. */
export type Asked = Deps & {
  readonly c: Context;
  readonly tryId: string;
  readonly claims: TokenClaims & { expiresAt: number | null };
};
export type Handler = (asked: Asked) => Response | Promise<Response>;
export type AddRoute = (method: string, path: string, scope: Scope, handler: Handler) => void;

export function routesOf(app: Hono, deps: Deps): AddRoute {
  return (method, path, scope, handler) => {
    app.on(method, path, async (c) => {
      const claims = await deps.resources.tokens.verify(scope.audience, readBearer(c), scope.toleranceSec);
      const { subject } = claims;
      if (scope.isSelf && subject !== c.req.param("id"))
        throw new Refusal(403, "token_of_another", "The token is for another workload.");
      try {
        return await handler({ ...deps, c, tryId: subject, claims });
      } catch (error) {
        throw await inAirflowsWords(error, deps.resources, subject);
      }
    });
  };
}

/** As Airflow does, tells the worker of a stale try which state it is in. */
async function inAirflowsWords(error: unknown, { store }: ExecutionApiResources, tryId: string): Promise<unknown> {
  if (!(error instanceof Refusal) || error.code !== TRY_NOT_RUNNING) return error;
  const found = await findTryState(store, tryId);
  const told = await withStopReason(store, error);
  return new Refusal(409, "invalid_state", (told instanceof Refusal ? told : error).message, {
    previous_state: found?.state ?? null,
  });
}
