import { createHash, timingSafeEqual } from "node:crypto";
import type { MiddlewareHandler } from "hono";
import { BaramError } from "../../platform/index.ts";

/** Hashes of user:password. Throws `config_invalid`, without the value: it holds passwords. */
export function readLogins(text: string | null): Buffer[] {
  const logins = (text ?? "").split(",").filter((login) => login !== "");
  if (logins.some((login) => !/^[^:]+:.+$/.test(login)))
    throw new BaramError(
      "config_invalid",
      "[monitor] basic_auth must be user:password, several separated by commas; one of its parts has no user, or no password.",
      {},
    );
  return logins.map(hash);
}

/** Without logins everybody is let in. Compared by hashes, each of them, so that the time says nothing. */
export function askForLogin(logins: readonly Buffer[]): MiddlewareHandler {
  return async (c, next) => {
    if (logins.length === 0) return next();
    const [scheme, code = ""] = (c.req.header("authorization") ?? "").split(" ");
    const given = hash(scheme?.toLowerCase() === "basic" ? Buffer.from(code, "base64").toString("utf8") : "");
    const isKnown = logins.map((login) => timingSafeEqual(login, given)).includes(true);
    if (isKnown) return next();
    return c.text("A user and a password of [monitor] basic_auth are needed.", 401, {
      "WWW-Authenticate": 'Basic realm="Baram monitor", charset="UTF-8"',
    });
  };
}

function hash(text: string): Buffer {
  return createHash("sha256").update(text).digest();
}
