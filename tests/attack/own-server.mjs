// A standalone server in a folder of its own, on a free port of the loopback address.
import { spawn } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";

const MAIN = fileURLToPath(new URL("../../dist/cli/main.js", import.meta.url));

/** Secrets that no viewer may ever read. */
export const CANARIES = { platform: "canary-of-the-platform-5e1f", connection: 'can"ary+of/the connection\\7c2d' };

export async function startOwnServer() {
  const folder = mkdtempSync(join(tmpdir(), "baram-attack-"));
  const home = join(folder, "home");
  const dags = join(folder, "dags");
  mkdirSync(dags);
  writeFileSync(join(dags, "attack.ts"), readFileSync(new URL("attack-dag.ts", import.meta.url), "utf8"));
  writeFileSync(
    join(dags, "attack_import.ts"),
    'import text from "../../../etc/passwd.txt"; import { dag } from "baram"; export default dag({ dagId: text, schedule: null }, () => {});',
  );
  const port = await freePort();
  const environment = {
    PATH: process.env.PATH ?? "",
    HOME: folder,
    BARAM_HOME: home,
    BARAM__API__PORT: String(port),
    BARAM__CORE__DAGS_FOLDER: dags,
    BARAM__CORE__LOAD_EXAMPLES: "false",
    BARAM__CORE__DAGS_ARE_PAUSED_AT_CREATION: "false",
    // As on a machine whose roles have credentials of their own.
    AWS_SECRET_ACCESS_KEY: CANARIES.platform,
  };
  const child = spawn(process.execPath, [MAIN, "standalone"], {
    cwd: folder,
    env: environment,
    stdio: ["ignore", "pipe", "pipe"],
  });
  let output = "";
  for (const stream of [child.stdout, child.stderr]) stream.on("data", (chunk) => (output += chunk.toString("utf8")));
  const exited = new Promise((resolve) => child.once("close", resolve));
  const until = Date.now() + 60_000;
  while (!output.includes("Baram is up")) {
    if (Date.now() > until || child.exitCode !== null) throw new Error(`the server did not start:\n${output}`);
    await sleep(50);
  }
  const passwordFile = join(home, "admin_password");
  while (!existsSync(passwordFile)) await sleep(50);
  return {
    url: `http://127.0.0.1:${port}`,
    port,
    folder,
    home,
    pid: child.pid,
    environment,
    password: readFileSync(passwordFile, "utf8").trim(),
    output: () => output,
    cli: (args, input) => runCli(args, input, { folder, environment }),
    async stop() {
      child.kill("SIGTERM");
      await exited;
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

function runCli(args, input, { folder, environment }) {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [MAIN, ...args], { cwd: folder, env: environment, stdio: ["pipe", "pipe", "pipe"] });
    let text = "";
    for (const stream of [child.stdout, child.stderr]) stream.on("data", (chunk) => (text += chunk.toString("utf8")));
    child.once("error", reject);
    child.once("close", (code) => resolve({ code, text }));
    child.stdin.end(input ?? "");
  });
}

function freePort() {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once("error", reject);
    server.listen(0, "127.0.0.1", () => {
      const { port } = server.address();
      server.close(() => resolve(port));
    });
  });
}
