// The server under attack, and what attackers need to talk to it.
import { readFileSync } from "node:fs";
import { connect } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";

export async function createTarget({ url, username, password, server }) {
  const target = {
    url,
    server,
    /** One request; the body of the answer is text, and JSON if it is. */
    async ask(method, path, { token, body, raw, headers = {} } = {}) {
      const sent = raw ?? (body === undefined ? undefined : JSON.stringify(body));
      const answer = await fetch(`${url}${path}`, {
        method,
        redirect: "manual",
        headers: {
          ...(token ? { authorization: `Bearer ${token}` } : {}),
          ...(sent === undefined ? {} : { "content-type": "application/json" }),
          ...headers,
        },
        body: sent,
      });
      const text = await answer.text();
      return { status: answer.status, headers: answer.headers, text, json: parse(text) };
    },
    async login(name, secret) {
      const { json, status } = await target.ask("POST", "/auth/token", { body: { username: name, password: secret } });
      if (status !== 201) throw new Error(`the login of ${name} was answered with ${status}`);
      return json.access_token;
    },
    /** Writes bytes to the server's socket; resolves with what it answers within the time. */
    raw(bytes, { waitMs = 5_000, keepWriting = null } = {}) {
      const { hostname, port } = new URL(url);
      return new Promise((resolve) => {
        let answer = "";
        const socket = connect(Number(port), hostname, () => {
          socket.write(bytes);
          if (keepWriting) pump();
        });
        const pump = () => {
          while (!socket.destroyed && socket.write(keepWriting));
          socket.once("drain", pump);
        };
        const end = () => {
          clearTimeout(timer);
          socket.destroy();
          resolve(answer);
        };
        const timer = setTimeout(end, waitMs);
        socket.on("data", (chunk) => {
          answer += chunk.toString("latin1");
          if (answer.includes("\r\n\r\n") && !keepWriting) end();
        });
        socket.on("error", () => {});
        socket.on("close", end);
      });
    },
    /** Resident memory of the server's main process in MB; null if it is not ours. */
    memoryMb() {
      if (!server) return null;
      return Number(/^VmRSS:\s*(\d+) kB/m.exec(readFileSync(`/proc/${server.pid}/status`, "utf8"))?.[1] ?? 0) / 1024;
    },
    async healthMs() {
      const from = performance.now();
      const { status } = await target.ask("GET", "/api/v2/monitor/health");
      expect(status === 200, `health was answered with ${status}`);
      return performance.now() - from;
    },
    /** Runs a DAG of the attackers' and waits for its end. */
    async run(dagId, conf = {}) {
      const until = Date.now() + 60_000;
      const create = () =>
        target.ask("POST", `/api/v2/dags/${dagId}/dagRuns`, { token: target.admin, body: { conf, logical_date: null } });
      let created = await create();
      // The file may not be loaded yet.
      for (; created.status === 404 && Date.now() < until; created = await create()) await sleep(200);
      const { status, json, text } = created;
      expect(status === 200 || status === 201, `the run of ${dagId} was refused: ${status} ${text}`);
      for (;;) {
        const run = await target.ask("GET", `/api/v2/dags/${dagId}/dagRuns/${json.dag_run_id}`, { token: target.admin });
        if (["success", "failed"].includes(run.json.state)) return { runId: json.dag_run_id, state: run.json.state };
        expect(Date.now() < until, `the run of ${dagId} did not end: ${run.text}`);
        await sleep(100);
      }
    },
    /** All that a viewer can read of a task: log, instance, rendered fields, XComs. */
    async seen(dagId, runId, taskId, token) {
      const place = `/api/v2/dags/${dagId}/dagRuns/${runId}/taskInstances/${taskId}`;
      const texts = [];
      for (const path of [
        `${place}/logs/1`,
        place,
        `${place}/xcomEntries`,
        `${place}/xcomEntries/return_value`,
        "/api/v2/eventLogs",
      ]) {
        const answer = await target.ask("GET", path, { token, headers: { accept: "application/json" } });
        texts.push(answer.text);
      }
      return texts.join("\n");
    },
  };
  target.admin = await target.login(username, password);
  return target;
}

function parse(text) {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

export function expect(holds, message) {
  if (!holds) throw new Error(message);
}
