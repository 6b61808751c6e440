import type { MiddlewareHandler } from "hono";
import type { Tokens } from "../../platform/index.ts";
import { refusal } from "../refuse.ts";
import type { KnownUsers } from "./known-users.ts";
import type { User } from "./roles.ts";

export type ApiEnv = { Variables: { user: User } };

/** The paths that need no token. Every other path needs one, unknown paths included. */
const OPEN_PATHS: readonly string[] = ["/api/v2/version", "/api/v2/monitor/health"];

export function authenticate(tokens: Tokens, users: KnownUsers): MiddlewareHandler<ApiEnv> {
  return async (c, next) => {
    if (!OPEN_PATHS.includes(c.req.path)) c.set("user", await userOf(c.req.header("authorization"), tokens, users));
    await next();
  };
}

/** The user of an `Authorization` header. Throws `token_missing`, `token_invalid` and `token_expired`. */
export async function userOf(header: string | undefined, tokens: Tokens, users: KnownUsers): Promise<User> {
  const [scheme, token] = (header ?? "").split(" ");
  if (scheme?.toLowerCase() !== "bearer" || !token) throw tokenMissing();
  const { subject, version } = await tokens.verify("baram:user", token);
  const user = await users.get(subject);
  if (!user || version !== user.tokenVersion)
    throw refusal(
      "token_invalid",
      "The token has ended: its user is gone, or has a new password, or it is from an earlier version of Baram. Ask for a new one.",
    );
  return { name: subject, role: user.role };
}

export function tokenMissing() {
  return refusal(
    "token_missing",
    'This needs a token: POST /auth/token with username and password, then send it as "Authorization: Bearer …".',
  );
}
