import type { MiddlewareHandler } from "hono";
import type { Tokens } from "../../platform/index.ts";
import { refusal } from "../refuse.ts";
import { isRole, type User } from "./roles.ts";

export type ApiEnv = { Variables: { user: User } };

/** The paths that need no token. Every other path needs one, unknown paths included. */
const OPEN_PATHS: readonly string[] = ["/api/v2/version", "/api/v2/monitor/health"];

export function authenticate(tokens: Tokens): MiddlewareHandler<ApiEnv> {
  return async (c, next) => {
    if (!OPEN_PATHS.includes(c.req.path)) c.set("user", await userOf(c.req.header("authorization"), tokens));
    await next();
  };
}

async function userOf(header: string | undefined, tokens: Tokens): Promise<User> {
  const [scheme, token] = (header ?? "").split(" ");
  if (scheme?.toLowerCase() !== "bearer" || !token) {
    throw refusal(
      "token_missing",
      'This needs a token: POST /auth/token with username and password, then send it as "Authorization: Bearer …".',
    );
  }
  const { subject, role } = await tokens.verify("baram:user", token);
  if (!isRole(role)) throw refusal("token_invalid", "The token carries no role that is known here. Ask for a new one.");
  return { name: subject, role };
}
