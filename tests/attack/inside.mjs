// Attacks by the code of tasks, on a server of our own; and by a viewer who reads what they leave.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { CANARIES } from "./own-server.mjs";
import { expect } from "./target.mjs";

/** Each way of writing a secret that the task tries. */
const forms = (secret) => [
  secret,
  JSON.stringify(secret).slice(1, -1),
  encodeURIComponent(secret),
  new URLSearchParams({ s: secret }).toString().slice(2),
  Buffer.from(secret).toString("base64").replace(/=+$/, ""),
  Buffer.from(secret).toString("hex"),
];

let viewer = null;
async function viewerOf(target) {
  if (viewer !== null) return viewer;
  const made = await target.server.cli(
    ["users", "create", "peeping", "--role", "viewer", "--password-stdin"],
    "a long password\n",
  );
  expect(made.code === 0, `the viewer could not be made: ${made.text}`);
  viewer = await target.login("peeping", "a long password");
  return viewer;
}

export const INSIDE = [
  {
    name: "a viewer changes nothing",
    async run(target) {
      const token = await viewerOf(target);
      const { json } = await target.ask("GET", "/openapi.json", { token: target.admin });
      for (const [path, methods] of Object.entries(json.paths)) {
        if (path.startsWith("/auth/")) continue;
        for (const method of Object.keys(methods).filter((one) => ["post", "put", "patch", "delete"].includes(one))) {
          const { status } = await target.ask(method.toUpperCase(), path.replaceAll(/\{[^}]+\}/g, "x"), { token, body: {} });
          // A list that is asked for by POST is a read: it may be answered.
          const isRead = path.endsWith("/list");
          expect(status === 403 || isRead, `${method} ${path} was answered with ${status}`);
        }
      }
    },
  },
  {
    name: "a deleted user's token ends within seconds",
    async run(target) {
      const made = await target.server.cli(
        ["users", "create", "leaver", "--role", "op", "--password-stdin"],
        "a long password\n",
      );
      expect(made.code === 0, made.text);
      const token = await target.login("leaver", "a long password");
      expect((await target.ask("GET", "/api/v2/dags", { token })).status === 200, "the new user cannot read");
      const gone = await target.server.cli(["users", "delete", "leaver"], "");
      expect(gone.code === 0, gone.text);
      const until = Date.now() + 3_000;
      while ((await target.ask("GET", "/api/v2/dags", { token })).status !== 401)
        expect(Date.now() < until, "the token still works after 3 s");
    },
  },
  {
    name: "forged messages end their own try, and the server goes on",
    async run(target) {
      expect((await target.run("attack_wire")).state === "failed", "the forger succeeded");
      expect((await target.run("attack_fine")).state === "success", "a task after it failed");
    },
  },
  {
    name: "a log that is replaced by a link to the signing key shows nothing of it",
    async run(target) {
      const { runId } = await target.run("attack_log", { home: target.server.home });
      const seen = await target.seen("attack_log", runId, "link", await viewerOf(target));
      const secret = readFileSync(join(target.server.home, "jwt_secret"), "utf8").trim();
      expect(!seen.includes(secret), "the key was shown");
      expect(secret.length > 20 && !/timestamp/.test(secret), "something was appended to the key");
    },
  },
  {
    name: "the platform's credentials are not in a task's environment",
    async run(target) {
      const { runId } = await target.run("attack_environment");
      const seen = await target.seen("attack_environment", runId, "look", await viewerOf(target));
      expect(!seen.includes(CANARIES.platform), "AWS_SECRET_ACCESS_KEY was shown");
      expect(!/BARAM__/.test(seen), "an option of Baram was shown");
    },
  },
  {
    name: "a connection's password is shown in no encoding, nor by the next task",
    async run(target) {
      const added = await target.server.cli(
        [
          "connections",
          "add",
          "attacked",
          "--conn-type",
          "http",
          "--conn-host",
          "example.com",
          "--conn-login",
          "someone",
          "--conn-password-file",
          "-",
        ],
        CANARIES.connection,
      );
      expect(added.code === 0, added.text);
      const { runId } = await target.run("attack_secrets");
      for (const task of ["tell", "tell_again"]) {
        const seen = await target.seen("attack_secrets", runId, task, await viewerOf(target));
        for (const form of forms(CANARIES.connection)) expect(!seen.includes(form), `task ${task} shows ${JSON.stringify(form)}`);
        expect(seen.includes("***"), `task ${task} told nothing at all`);
      }
    },
  },
  {
    name: "no template runs JavaScript, or for ever",
    async run(target) {
      const { runId, state } = await target.run("attack_template");
      expect(state === "failed", "all templates were rendered");
      for (let at = 0; at < 6; at++) {
        const path = `/api/v2/dags/attack_template/dagRuns/${runId}/taskInstances/render_${at}/logs/1`;
        const { text } = await target.ask("GET", path, { token: target.admin });
        expect(!text.includes(process.version) && text.includes("Template"), `template ${at}: ${text.slice(0, 300)}`);
      }
    },
  },
  {
    name: "a parameter's pattern costs the server no second",
    async run(target) {
      const from = performance.now();
      await target.ask("POST", "/api/v2/dags/attack_pattern/dagRuns", {
        token: target.admin,
        body: { logical_date: null, conf: { name: `${"a".repeat(40)}!` } },
      });
      expect(performance.now() - from < 1_000, `it took ${Math.round(performance.now() - from)} ms`);
    },
  },
  {
    name: "no process shows the platform's secrets in its environment",
    async run(target) {
      const { runId } = await target.run("attack_proc", { marker: CANARIES.platform });
      const { text } = await target.ask("GET", `/api/v2/dags/attack_proc/dagRuns/${runId}/taskInstances/grep/logs/1`, {
        token: target.admin,
      });
      expect(text.includes("found 0 of"), `the task told: ${text.slice(-600)}`);
    },
  },
  {
    name: "changed code in the module cache does not run",
    async run(target) {
      const changed = await target.run("attack_cache", { home: target.server.home });
      expect(changed.state === "success", "the task could not change the module");
      // A warm process has the code that it has checked; a new one reads the file. It may be refused until the supervisor has mended it.
      const until = Date.now() + 10_000;
      for (;;) {
        const { runId, state } = await target.run("attack_fresh");
        const seen = await target.seen("attack_fresh", runId, "work", target.admin);
        expect(!seen.includes("changed code ran"), "the changed code ran");
        if (state === "success" && seen.includes("the code as it was")) return;
        expect(Date.now() < until, `the module was not mended: ${seen.slice(0, 1_000)}`);
      }
    },
  },
  {
    name: "a DAG file imports nothing from outside of its folder",
    async run(target) {
      const { text } = await target.ask("GET", "/api/v2/importErrors", { token: target.admin });
      expect(text.includes("attack_import") && !text.includes("root:x"), `the import errors: ${text.slice(0, 300)}`);
    },
  },
];
