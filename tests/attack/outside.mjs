// Attacks by strangers and by users with too few rights, over HTTP alone.
import { createHmac, randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { expect } from "./target.mjs";

const EXECUTION = [
  "/execution/baram/batch",
  "/execution/baram/heartbeat",
  "/execution/baram/logs",
  "/execution/baram/call",
  "/execution/no-such-path",
];
const OPEN = new Set(["/api/v2/version", "/api/v2/monitor/health", "/auth/token", "/auth/token/cli", "/openapi.json", "/"]);
const deep = (levels) => `${"[".repeat(levels)}${"]".repeat(levels)}`;

export const OUTSIDE = [
  ...EXECUTION.map((path) => ({
    name: `a stranger announces 200 MB to ${path} and is refused before a byte of them is read`,
    async run(target) {
      const head = `POST ${path} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 200000000\r\n\r\n`;
      const from = performance.now();
      const answer = await target.raw(head);
      expect(/^HTTP\/1\.1 401/.test(answer), `answered ${JSON.stringify(answer.slice(0, 60))}`);
      expect(performance.now() - from < 2_000, "it took more than 2 s");
    },
  })),
  {
    name: "a stranger's endless body grows no memory and slows nobody",
    async run(target) {
      const before = target.memoryMb();
      const head = `POST /execution/baram/batch HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n`;
      const chunk = `10000\r\n${"[".repeat(0x10000)}\r\n`;
      const attacks = Array.from({ length: 4 }, () => target.raw(head, { waitMs: 4_000, keepWriting: chunk }));
      for (let at = 0; at < 5; at++) {
        await sleep(500);
        const ms = await target.healthMs();
        expect(ms < 1_000, `health took ${Math.round(ms)} ms`);
      }
      await Promise.all(attacks);
      const after = target.memoryMb();
      if (before !== null) expect(after - before < 150, `memory grew from ${Math.round(before)} to ${Math.round(after)} MB`);
    },
  },
  {
    name: "every operation of the public API refuses a stranger, and tokens of strangers",
    async run(target) {
      const { json } = await target.ask("GET", "/openapi.json", { token: target.admin });
      const encode = (value) => Buffer.from(JSON.stringify(value)).toString("base64url");
      const claims = { sub: "admin", aud: "baram:user", role: "admin", iat: 1, exp: 9_999_999_999 };
      const unsigned = `${encode({ alg: "none", typ: "JWT" })}.${encode(claims)}.`;
      const signed = `${encode({ alg: "HS256", typ: "JWT" })}.${encode(claims)}`;
      const guessed = `${signed}.${createHmac("sha256", "secret").update(signed).digest("base64url")}`;
      let operations = 0;
      for (const [path, methods] of Object.entries(json?.paths ?? {})) {
        if (OPEN.has(path)) continue;
        const filled = path.replaceAll(/\{[^}]+\}/g, "x");
        for (const method of Object.keys(methods).filter((one) => ["get", "post", "put", "patch", "delete"].includes(one))) {
          operations++;
          const body = ["get", "delete"].includes(method) ? undefined : {};
          for (const token of [undefined, "x", unsigned, guessed]) {
            const { status } = await target.ask(method.toUpperCase(), filled, { token, body });
            expect(status === 401, `${method} ${path} was answered with ${status}`);
          }
        }
      }
      expect(operations > 40, `only ${operations} operations were found`);
    },
  },
  {
    name: "a hundred logins with different names keep nobody waiting",
    async run(target) {
      const logins = Promise.all(
        Array.from({ length: 100 }, (_, at) =>
          target.ask("POST", "/auth/token", { body: { username: `guess-${at}-${randomUUID()}`, password: "x".repeat(20) } }),
        ),
      );
      for (let at = 0; at < 10; at++) {
        const ms = await target.healthMs();
        expect(ms < 1_000, `health took ${Math.round(ms)} ms`);
        const from = performance.now();
        const { status } = await target.ask("GET", "/api/v2/dags?limit=1", { token: target.admin });
        expect(status === 200 && performance.now() - from < 1_500, `a list took ${Math.round(performance.now() - from)} ms`);
        await sleep(50);
      }
      for (const { status } of await logins) expect([401, 429, 503].includes(status), `a login was answered with ${status}`);
    },
  },
  {
    name: "JSON nested 40,000 deep is a bad request",
    async run(target) {
      for (const path of ["/api/v2/variables", "/api/v2/connections", "/auth/token"]) {
        const { status } = await target.ask("POST", path, { token: target.admin, raw: deep(40_000) });
        expect(status === 400 || status === 422, `POST ${path} was answered with ${status}`);
      }
      const inside = await target.ask("POST", "/api/v2/variables", {
        token: target.admin,
        raw: `{"key":"k","value":${deep(40_000)}}`,
      });
      expect([400, 422].includes(inside.status), `a deep value was answered with ${inside.status}`);
    },
  },
  {
    name: "an empty pattern pauses nothing",
    async run(target) {
      const { status } = await target.ask("PATCH", "/api/v2/dags?dag_id_pattern=", {
        token: target.admin,
        body: { is_paused: true },
      });
      expect([400, 422].includes(status), `it was answered with ${status}`);
    },
  },
  {
    name: "metrics are not for strangers",
    async run(target) {
      const { status } = await target.ask("GET", "/metrics");
      expect([401, 404].includes(status), `it was answered with ${status}`);
    },
  },
  {
    name: "a client that sends a byte a second is dropped, and others are served",
    async run(target) {
      const slow = Array.from({ length: 50 }, () => target.raw("GET /api/v2/version HTTP/1.1\r\nX-Slow: ", { waitMs: 1_500 }));
      const ms = await target.healthMs();
      expect(ms < 1_000, `health took ${Math.round(ms)} ms`);
      await Promise.all(slow);
    },
  },
  {
    name: "paths that leave the log folder reach no file",
    async run(target) {
      for (const id of ["..%2f..%2fjwt_secret", "%2e%2e", "..%5c..", "x%00", "%2fetc%2fpasswd"]) {
        for (const path of [
          `/api/v2/dags/${id}/dagRuns/r/taskInstances/t/logs/1`,
          `/api/v2/dags/d/dagRuns/${id}/taskInstances/t/logs/1`,
        ]) {
          const { status, text } = await target.ask("GET", path, { token: target.admin });
          expect(status >= 400 && status < 500, `GET ${path} was answered with ${status}`);
          expect(!text.includes("root:"), "a file was read");
        }
      }
    },
  },
  {
    name: "a forged X-Forwarded-For passes no limit of failed logins",
    async run(target) {
      const statuses = [];
      for (let at = 0; at < 8; at++) {
        const headers = { "x-forwarded-for": `10.1.2.${at}, 192.0.2.${at}` };
        const body = { username: "somebody-else", password: "a wrong guess" };
        statuses.push((await target.ask("POST", "/auth/token", { body, headers })).status);
      }
      expect(statuses.includes(429), `the guesses were answered with ${statuses.join(", ")}`);
    },
  },
];
