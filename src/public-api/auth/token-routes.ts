import type { Context } from "hono";
import { z } from "zod";
import { logEvent } from "../../store/index.ts";
import type { Api } from "../endpoint.ts";
import { parse, readJson } from "../read-request.ts";
import { refusal } from "../refuse.ts";
import { createAttempts } from "./attempts.ts";
import { checkLogin } from "./users.ts";

const credentials = z.strictObject({ username: z.string().min(1).max(150), password: z.string().min(1).max(1_000) });
/** Not strict: clients of an OAuth2 password form send more fields than these two. */
const formCredentials = z.object(credentials.shape);
const answer = z.object({ access_token: z.string() });

/** POST /auth/token and /auth/token/cli. They differ in the lifetime of the token. */
export function tokenRoutes(api: Api): void {
  const { resources, options } = api;
  const attempts = createAttempts(resources.clock);
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
        429: { description: "Too many failed attempts" },
      },
    });
    api.app.post(path, async (c) => {
      const { username, password } = await readCredentials(c);
      // Failures are limited per pair of user name and address. Other addresses can still log in as this user, and other users
      // from this address.
      const key = `${username}\n${addressOf(c)}`;
      const retryAfterSec = attempts.waitSec(key);
      if (retryAfterSec > 0)
        throw refusal("attempts_too_many", `Too many failed logins. Try again in ${retryAfterSec} s.`, { retryAfterSec });
      // Counted before the password is checked, so that parallel guesses do not pass the limit together.
      attempts.failed(key);
      const user = await checkLogin(resources.store, username, password);
      if (!user) throw refusal("credentials_wrong", "The user name or the password is wrong.");
      attempts.succeeded(key);
      await logEvent(resources.store, { event, owner: user.name });
      const token = await resources.tokens.sign("baram:user", { subject: user.name, role: user.role }, ttlSec);
      return c.json({ access_token: token }, 201);
    });
  }
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

/** The socket's own address: any client can forge headers such as X-Forwarded-For. */
function addressOf(c: Context): string {
  const env = c.env as { incoming?: { socket?: { remoteAddress?: string } } } | undefined;
  return env?.incoming?.socket?.remoteAddress ?? "";
}
