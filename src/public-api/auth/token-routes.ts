import type { Context } from "hono";
import { z } from "zod";
import { BaramError } from "../../platform/index.ts";
import { logEvent } from "../../store/index.ts";
import type { Api } from "../endpoint.ts";
import { parse, readJson } from "../read-request.ts";
import { refusal } from "../refuse.ts";
import { clientAddress } from "./client-address.ts";
import { createLoginAudit } from "./login-audit.ts";
import { createLoginLimits } from "./login-limits.ts";
import { checkLogin, PASSWORD_MAX_CHARS } from "./users.ts";

const credentials = z.strictObject({
  username: z.string().min(1).max(150),
  password: z.string().min(1).max(PASSWORD_MAX_CHARS),
});
/** Not strict: clients of an OAuth2 password form send more fields than these two. */
const formCredentials = z.object(credentials.shape);
const answer = z.object({ access_token: z.string() });

/** POST /auth/token and /auth/token/cli. They differ in the lifetime of the token. */
export function tokenRoutes(api: Api): void {
  const { resources, options } = api;
  const { store, clock, logger } = resources;
  const limits = createLoginLimits(clock);
  const audit = createLoginAudit(store, clock, logger);
  // Once, as any client can send the header.
  let isWarned = false;
  const warnOfProxy = (c: Context) => {
    if (isWarned || options.trustedProxies !== null || c.req.header("x-forwarded-for") === undefined) return;
    isWarned = true;
    logger.warn(
      {},
      "a login came with X-Forwarded-For, which is ignored: if there is a reverse proxy, set [api] trusted_proxies, or all clients share one limit of failed logins",
    );
  };
  const kinds = [
    { path: "/auth/token", ttlSec: options.tokenTtlSec, event: "login" },
    { path: "/auth/token/cli", ttlSec: options.cliTokenTtlSec, event: "cli_login" },
  ];
  for (const { path, ttlSec, event } of kinds) {
    api.app.openAPIRegistry.registerPath({
      method: "post",
      path,
      summary: "A token for username and password",
      tags: ["Login"],
      request: {
        body: {
          required: true,
          content: { "application/json": { schema: credentials }, "application/x-www-form-urlencoded": { schema: credentials } },
        },
      },
      responses: {
        201: { description: "The token", content: { "application/json": { schema: answer } } },
        401: { description: "Wrong user name or password" },
        429: { description: "Too many failed attempts; Retry-After says when to try again" },
        503: { description: "Too many logins at once; Retry-After says when to try again" },
      },
    });
    api.app.post(path, async (c) => {
      const { username, password } = await readCredentials(c);
      warnOfProxy(c);
      const address = clientAddress(c, options.trustedProxies);
      const user = await limits
        .attempt(username, address, () => checkLogin(store, resources.hashes, username, password))
        .catch(async (error: Error) => {
          if (isRefusedByLimit(error)) await audit.failed({ username, address, reason: "limited" });
          throw error;
        });
      if (!user) {
        await audit.failed({ username, address, reason: "wrong" });
        throw refusal("credentials_wrong", "The user name or the password is wrong.");
      }
      await logEvent(store, { event, owner: user.name, extra: { address } });
      const token = await resources.tokens.sign("baram:user", { subject: user.name, version: user.tokenVersion }, ttlSec);
      return c.json({ access_token: token }, 201);
    });
  }
}

function isRefusedByLimit(error: Error): boolean {
  return error instanceof BaramError && error.code === "attempts_too_many";
}

async function readCredentials(c: Context): Promise<z.infer<typeof credentials>> {
  const type = c.req.header("content-type") ?? "";
  if (!/^(application\/x-www-form-urlencoded|multipart\/form-data)/i.test(type))
    return parse(credentials, await readJson(c), "body");
  const form = await c.req.parseBody().catch(() => {
    throw refusal("body_malformed", "The request's form cannot be read.");
  });
  return parse(formCredentials, form, "body");
}
