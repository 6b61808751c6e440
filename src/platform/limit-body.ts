import type { Context, MiddlewareHandler } from "hono";

/**
 * Middleware that answers `onError` to a request whose body is larger; that of a GET is never read. A length that the client names is believed, since Node reads no
 * further; only one without a length is counted by Hono's own, which makes a web stream of each body it sees: with that, a tenth of
 * the API's time under many small requests.
 */
export function limitBody(maxBytes: number, onError: (c: Context) => Response | Promise<Response>): MiddlewareHandler {
  return async (c, next) => {
    if (c.req.method === "GET" || c.req.method === "HEAD") return next();
    const length = c.req.header("content-length");
    if (length !== undefined && c.req.header("transfer-encoding") === undefined)
      return Number(length) > maxBytes ? onError(c) : next();
    // On first use: runners load this room, too.
    const { bodyLimit } = await import("hono/body-limit");
    return bodyLimit({ maxSize: maxBytes, onError })(c, next);
  };
}
