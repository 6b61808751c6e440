import { BaramError } from "../../platform/index.ts";

export type HttpRequest = {
  url: URL;
  method: string;
  headers: Readonly<Record<string, string>>;
  body?: string;
  signal: AbortSignal;
};

const REDIRECTS_MAX = 10;
const REDIRECTS = new Set([301, 302, 303, 307, 308]);
/** Sent to any server: they hold nothing of a connection. */
const HARMLESS = new Set(["accept", "accept-language", "user-agent"]);

/**
 * Like `fetch`, which hands all headers but `authorization` and `cookie`, and after 307 and 308 the body, to whatever server a
 * redirect names. Here another origin gets neither headers nor a body, and a redirect from https to http is refused. `onLeft` is
 * told of another origin. Throws `redirect_refused`.
 */
export async function fetchWithRedirects(request: HttpRequest, onLeft: (origin: string) => void): Promise<Response> {
  let { url, method, headers, body }: HttpRequest = withoutCredentials(request);
  for (let redirects = 0; ; redirects++) {
    const init = { method, headers, redirect: "manual", signal: request.signal } as const;
    const response = await fetch(url, body === undefined ? init : { ...init, body });
    const location = response.headers.get("location");
    if (!REDIRECTS.has(response.status) || location === null) return response;
    await response.body?.cancel();
    if (redirects === REDIRECTS_MAX) throw refused(url, `redirects more than ${REDIRECTS_MAX} times`);
    const next = targetOf(location, url);
    if (isTurnedIntoGet(response.status, method)) {
      method = "GET";
      body = undefined;
      headers = Object.fromEntries(Object.entries(headers).filter(([name]) => !/^content-/i.test(name)));
    }
    if (next.origin !== url.origin) {
      if (body !== undefined || (method !== "GET" && method !== "HEAD"))
        throw refused(url, `redirects a ${method} to ${next.origin}, which is another origin`);
      headers = Object.fromEntries(Object.entries(headers).filter(([name]) => HARMLESS.has(name.toLowerCase())));
      onLeft(next.origin);
    }
    url = next;
  }
}

/** As browsers and `fetch` do it. */
function isTurnedIntoGet(status: number, method: string): boolean {
  if (status === 303) return method !== "GET" && method !== "HEAD";
  return (status === 301 || status === 302) && method === "POST";
}

function targetOf(location: string, from: URL): URL {
  if (!URL.canParse(location, from.href)) throw refused(from, "redirects to something that is not a URL");
  const next = new URL(location, from.href);
  if (next.protocol !== "http:" && next.protocol !== "https:") throw refused(from, `redirects to a ${next.protocol} URL`);
  if (from.protocol === "https:" && next.protocol === "http:")
    throw refused(from, `redirects to ${next.origin}, which is not encrypted`);
  // Of the server that redirects, and nobody else's.
  next.username = "";
  next.password = "";
  return next;
}

/** `fetch` refuses a URL with a user and a password, and says it in its message. */
function withoutCredentials(request: HttpRequest): HttpRequest {
  const { username, password } = request.url;
  if (username === "" && password === "") return request;
  const url = new URL(request.url);
  url.username = "";
  url.password = "";
  const pair = `${decodeURIComponent(username)}:${decodeURIComponent(password)}`;
  return { ...request, url, headers: { authorization: `Basic ${Buffer.from(pair).toString("base64")}`, ...request.headers } };
}

function refused(url: URL, what: string): BaramError {
  const message = `${url.origin} ${what}: this is not followed, so that no header or body of the connection gets there. Name the final URL`;
  return new BaramError("redirect_refused", message, { origin: url.origin });
}
