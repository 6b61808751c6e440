import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createServer, type IncomingMessage, type Server } from "node:http";
import { createServer as createSecureServer } from "node:https";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { fetchWithRedirects } from "./fetch-with-redirects.ts";
import { runBuiltin } from "./index.ts";

type Seen = { server: "own" | "other"; method: string; url: string; headers: IncomingMessage["headers"]; body: string };
const seen: Seen[] = [];
const servers: Server[] = [];
let own = "";
let other = "";

/** `/307/to?<URL>` redirects there, `/loop` to itself; everything else answers 200. */
async function start(name: Seen["server"], make: typeof createServer = createServer): Promise<string> {
  const server = make(async (request, response) => {
    let body = "";
    for await (const chunk of request) body += chunk;
    seen.push({ server: name, method: request.method ?? "", url: request.url ?? "", headers: request.headers, body });
    const [, status, location] = /^\/(\d+)\/to\?(.*)$/.exec(request.url ?? "") ?? [];
    if (request.url === "/loop") response.writeHead(302, { location: "/loop" });
    if (status !== undefined) response.writeHead(Number(status), { location: decodeURIComponent(location ?? "") });
    response.end("{}");
  });
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return `127.0.0.1:${(server.address() as AddressInfo).port}`;
}

beforeAll(async () => {
  own = `http://${await start("own")}`;
  other = `http://${await start("other")}`;
});
beforeEach(() => void seen.splice(0));
afterAll(() => {
  for (const server of servers) {
    server.close();
    server.closeAllConnections();
  }
});

const to = (status: number, target: string, from = own) => `${from}/${status}/to?${encodeURIComponent(target)}`;
const left: string[] = [];
function ask(url: string, given: { method?: string; body?: string } = {}): Promise<Response> {
  left.length = 0;
  const headers = { authorization: "Basic hunter22", "x-api-key": "hunter22", Accept: "text/plain", "content-type": "text/x" };
  return fetchWithRedirects(
    { url: new URL(url), method: "GET", headers, signal: AbortSignal.timeout(5_000), ...given },
    (origin) => void left.push(origin),
  );
}

test.each([301, 302, 303, 307, 308])(
  "%d to the same origin is followed with all headers, and with the body where it stays",
  async (status) => {
    expect((await ask(to(status, "/end"))).status).toBe(200);
    expect(seen.map(({ url, headers }) => [url.slice(0, 4), headers["x-api-key"], headers.authorization])).toEqual([
      [`/${status}`, "hunter22", "Basic hunter22"],
      ["/end", "hunter22", "Basic hunter22"],
    ]);
    await ask(to(status, `${own}/posted`), { method: "POST", body: "text" });
    const { method, body, headers } = seen.at(-1) ?? {};
    const stays = status >= 307;
    expect({ method, body, type: headers?.["content-type"] }).toEqual(
      stays ? { method: "POST", body: "text", type: "text/x" } : { method: "GET", body: "", type: undefined },
    );
    expect(left).toEqual([]);
  },
);

test.each([301, 302, 303, 307, 308])(
  "%d to another origin takes no header of the connection and no body along",
  async (status) => {
    expect((await ask(to(status, `${other}/end`))).status).toBe(200);
    expect(left).toEqual([other]);
    const posted = ask(to(status, `${other}/posted`), { method: "POST", body: "hunter22" });
    if (status >= 307)
      await expect(posted).rejects.toMatchObject({
        code: "redirect_refused",
        message: expect.stringContaining(`POST to ${other}`),
      });
    else expect((await posted).status).toBe(200);
    // What was lost on the way does not come back with a return to the first origin.
    await ask(to(status, to(status, `${own}/back`, other)));
    const foreign = seen.filter(({ server, url }) => server === "other" || url === "/back");
    expect(foreign.map(({ url }) => url)).toContain("/back");
    for (const one of foreign) {
      expect(JSON.stringify(one)).not.toContain("hunter22");
      expect(one.method).toBe("GET");
      expect(one.headers.accept).toBe("text/plain");
    }
  },
);

test("a method that changes something is not sent to another origin, even without a body", async () => {
  for (const method of ["DELETE", "PUT"])
    await expect(ask(to(302, `${other}/x`), { method })).rejects.toMatchObject({ code: "redirect_refused" });
  expect(seen.filter(({ server }) => server === "other")).toEqual([]);
});

test("endless redirects, other protocols and nonsense are refused", async () => {
  await expect(ask(`${own}/loop`)).rejects.toMatchObject({ message: expect.stringContaining("redirects more than 10 times") });
  expect(seen).toHaveLength(11);
  for (const target of ["file:///etc/passwd", "data:text/plain,x", "http://"])
    await expect(ask(to(302, target))).rejects.toMatchObject({ code: "redirect_refused" });
});

test("a user and a password in a URL become a header; those of a redirect are dropped", async () => {
  const { host } = new URL(own);
  const request = { method: "GET", headers: {}, signal: AbortSignal.timeout(5_000) };
  await fetchWithRedirects({ ...request, url: new URL(`http://u:p%20w@${host}/x`) }, () => {});
  expect(seen[0]?.headers.authorization).toBe(`Basic ${Buffer.from("u:p w").toString("base64")}`);
  await fetchWithRedirects({ ...request, url: new URL(to(302, `http://evil:hunter22@${host}/y`)) }, () => {});
  expect(seen.at(-1)).toMatchObject({ url: "/y" });
  expect(seen.at(-1)?.headers.authorization).toBeUndefined();
});

test("from https to http is refused, whatever the method", async () => {
  const folder = mkdtempSync(join(tmpdir(), "baram-tls-"));
  const [key, cert] = [join(folder, "key.pem"), join(folder, "cert.pem")];
  execFileSync("openssl", ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", key, "-out", cert, "-subj", "/CN=x"], {
    stdio: "ignore",
  });
  const options = { key: readFileSync(key), cert: readFileSync(cert) };
  const secure = await start("own", ((listener: Parameters<typeof createSecureServer>[1]) =>
    createSecureServer(options, listener)) as unknown as typeof createServer);
  rmSync(folder, { recursive: true });
  process.env.NODE_TLS_REJECT_UNAUTHORIZED = "0";
  try {
    await expect(ask(to(302, `${other}/x`, `https://${secure}`))).rejects.toMatchObject({
      code: "redirect_refused",
      message: expect.stringContaining("not encrypted"),
    });
    expect((await ask(to(302, "/x", `https://${secure}`))).status).toBe(200);
    expect((await ask(to(302, `https://${secure}/x`))).status).toBe(200);
  } finally {
    delete process.env.NODE_TLS_REJECT_UNAUTHORIZED;
  }
  expect(seen.filter(({ server }) => server === "other")).toEqual([]);
});

test("an HTTP trigger gives its connection's headers to no other origin, and shows no password of a URL", async () => {
  const connection = { connId: "c", connType: "http", description: null, host: "127.0.0.1", schema: null };
  const { port } = new URL(own);
  const login = { login: "u", password: "hunter22", port: Number(port), extra: { headers: { "x-api-key": "hunter22" } } };
  const logged: string[] = [];
  const stop = new AbortController();
  const ctx = {
    signal: stop.signal,
    now: Date.now,
    call: (async () => ({ ...connection, ...login })) as never,
    log: (_: string, message: string) => void logged.push(message),
  };
  const kwargs = { url: new URL(to(307, `${other}/end`)).href.slice(own.length), connId: "c" };
  expect(await runBuiltin("baram.triggers.HttpTrigger", kwargs, ctx)).toMatchObject({ kind: "event" });
  const [foreign] = seen.filter(({ server }) => server === "other");
  expect(foreign).toBeDefined();
  expect(JSON.stringify(foreign)).not.toMatch(/hunter22|authorization|x-api-key/);
  const posting = { ...kwargs, method: "post", body: "hunter22" };
  const waiting = runBuiltin("baram.triggers.HttpTrigger", { ...posting, pollIntervalSec: 60 }, ctx);
  await expect.poll(() => logged.join()).toContain("redirects a POST to");
  const named = runBuiltin("baram.triggers.HttpTrigger", { url: "http://u:hunter22@127.0.0.1:1/" }, ctx);
  await expect.poll(() => logged.join()).toContain("http://127.0.0.1:1/ could not be asked");
  stop.abort();
  for (const one of [waiting, named]) await expect(one).rejects.toThrow();
  expect(logged.join()).not.toContain("hunter22");
});
