import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import http from "node:http";
import https from "node:https";
import type { AddressInfo, Server } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, expect, test } from "vitest";
import { toError } from "../../platform/index.ts";
import { createApiClient } from "./api-client.ts";
import { explainFault } from "./explain-fault.ts";

const servers: Server[] = [];
afterEach(() => {
  for (const server of servers.splice(0)) server.close();
});

/** The error of a real call to `server`, or to a port where nothing listens. */
async function faultOf(server: Server | null, protocol: "http" | "https" = "http", body: object = {}): Promise<unknown> {
  const one = server ?? http.createServer();
  await new Promise<void>((resolve) => one.listen(0, "127.0.0.1", resolve));
  const { port } = one.address() as AddressInfo;
  if (server) servers.push(server);
  else await new Promise((resolve) => one.close(resolve));
  const client = createApiClient(`${protocol}://127.0.0.1:${port}/execution`);
  try {
    return await client.post("baram/batch", body, "t").then(() => "no fault", toError);
  } finally {
    client.close();
  }
}

const answering = (status: number, headers: http.OutgoingHttpHeaders, text: string) =>
  http.createServer((_, answer) => void answer.writeHead(status, headers).end(text));
const page = (status: number, title: string) =>
  answering(status, { "content-type": "text/html" }, `<html><head><title>${title}</title></head><body>no</body></html>`);
const ours = (status: number, reason: string) =>
  answering(status, { "content-type": "application/json" }, JSON.stringify({ detail: { reason, message: "no" } }));

function withCertificate(): Server {
  const folder = mkdtempSync(join(tmpdir(), "baram-tls-"));
  const [key, cert] = [join(folder, "key.pem"), join(folder, "cert.pem")];
  const request = `req -x509 -newkey rsa:2048 -nodes -days 1 -subj /CN=localhost -keyout ${key} -out ${cert}`;
  execFileSync("openssl", request.split(" "), { stdio: "ignore" });
  const server = https.createServer({ key: readFileSync(key), cert: readFileSync(cert) }, (_, answer) => answer.end("{}"));
  rmSync(folder, { recursive: true });
  return server;
}

const ELSEWHERE = "://baram.example.org/execution";

test.each<[string, () => Promise<unknown>, RegExp, string?]>([
  ["a port where nothing listens", () => faultOf(null), /nothing listens at baram\.example\.org, port 80.*own machine only/],
  ["plain HTTP at a TLS port", () => faultOf(withCertificate()), /begin the URL in \[api\] base_url .* with https:/],
  ["TLS at a plain port", () => faultOf(page(200, "x"), "https"), /does not speak TLS.*http: instead of https:/, "https"],
  ["a certificate of nobody", () => faultOf(withCertificate(), "https"), /does not trust .*NODE_EXTRA_CA_CERTS/, "https"],
  ["a login page", () => faultOf(page(200, "Sign in")), /something else than Baram's API answers/],
  ["a wrong path", () => faultOf(page(404, "404 Not Found")), /no execution API under this URL.*path that is wrong or missing/],
  ["a redirect to https", () => faultOf(answering(301, { location: "https://b/execution" }, "")), /elsewhere, to https:\/\/b\//],
  ["a proxy's own login", () => faultOf(page(403, "Forbidden")), /a proxy in front of the API, and not Baram, refuses/],
  ["a proxy without its server", () => faultOf(page(502, "Bad Gateway")), /a proxy answers in place of the API server/],
  ["a proxy that expects TLS", () => faultOf(page(400, "The plain HTTP request was sent to HTTPS port")), /the port expects TLS/],
  ["another deployment's API", () => faultOf(ours(401, "token_invalid")), /another \[api_auth\] jwt_secret.*another deployment/],
  ["a token that is over", () => faultOf(ours(401, "token_expired")), /the token is over/],
])("%s is named with the remedy", async (_, ask, words, protocol = "http") => {
  expect(explainFault(protocol + ELSEWHERE, await ask())).toMatch(words);
});

test.each([
  ["ENOTFOUND", /unknown to the worker's DNS/],
  ["EAI_AGAIN", /unknown to the worker's DNS/],
  ["ETIMEDOUT", /security group .*NAT gateway/],
  ["EHOSTUNREACH", /security group .*NAT gateway/],
])("%s of the network is named with the remedy", (code, words) => {
  const cause = Object.assign(new Error("x"), { code });
  expect(explainFault(`http${ELSEWHERE}`, new Error("the API cannot be reached", { cause }))).toMatch(words);
  // A name with several addresses has an error for each.
  const several = new AggregateError([cause], "");
  expect(explainFault(`http${ELSEWHERE}`, new Error("the API cannot be reached", { cause: several }))).toMatch(words);
});

test("silence is explained as lost packets", () => {
  const cause = new Error("no answer within 30 s");
  expect(explainFault(`http${ELSEWHERE}`, new Error("x", { cause }))).toMatch(/security group/);
});

test.each(["localhost", "127.0.0.1", "127.0.1.1", "0.0.0.0", "[::1]", "[::]"])(
  "%s as the API's host is the first suspect, whatever the error",
  async (host) => {
    for (const error of [await faultOf(null), new Error("x", { cause: new Error("no answer within 30 s") })])
      expect(explainFault(`http://${host}:8080/execution`, error)).toMatch(/the worker's own machine or container.*base_url/);
  },
);

test("refusals of Baram's API itself, and what is unknown, are not guessed at", async () => {
  expect(explainFault(`http${ELSEWHERE}`, await faultOf(ours(404, "try_not_found")))).toBeNull();
  expect(explainFault(`http${ELSEWHERE}`, await faultOf(ours(403, "token_of_another")))).toBeNull();
  expect(explainFault(`http${ELSEWHERE}`, new Error("x"))).toBeNull();
});
