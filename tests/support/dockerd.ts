/** A Docker daemon for the test: it does not affect other daemons on this machine, and downloads nothing from a registry. */
import { type ChildProcess, execFile, spawn, spawnSync } from "node:child_process";
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { findPackageRoot } from "../../src/platform/index.ts";

export type DockerAnswer = { code: number; stdout: string; stderr: string };
export type Dockerd = {
  /** For DOCKER_HOST. */
  readonly host: string;
  /** Runs the client against this daemon. */
  ask(...args: string[]): Promise<DockerAnswer>;
  /** Like `ask`, but rejects on failure. Resolves with the output. */
  docker(...args: string[]): Promise<string>;
  stop(): Promise<void>;
};

const START_MS = 30_000;

export async function startDockerd(): Promise<Dockerd> {
  ensure("ensure-dockerd.mjs");
  const folder = mkdtempSync(join(tmpdir(), "baram-dockerd-"));
  const host = `unix://${folder}/docker.sock`;
  const daemon = spawn(
    "dockerd",
    [
      ...["--host", host, "--data-root", join(folder, "data"), "--exec-root", join(folder, "exec")],
      ...["--pidfile", join(folder, "pid"), "--iptables=false", "--ip6tables=false", "--bridge=none"],
    ],
    { stdio: ["ignore", "ignore", "pipe"] },
  );
  let said = "";
  daemon.stderr?.on("data", (chunk: Buffer) => {
    said = (said + chunk).slice(-4_000);
  });
  const ask = (...args: string[]) =>
    new Promise<DockerAnswer>((resolve) => {
      // The classic builder: the new one needs a plugin, and a network for its own image.
      const environment = { PATH: process.env.PATH ?? "", HOME: folder, DOCKER_HOST: host, DOCKER_BUILDKIT: "0" };
      execFile("docker", args, { env: environment, maxBuffer: 2 ** 26 }, (error, stdout, stderr) =>
        resolve({ code: error ? Number(error.code ?? 1) : 0, stdout, stderr }),
      );
    });
  for (const startedAt = Date.now(); (await ask("info")).code !== 0; await new Promise((resolve) => setTimeout(resolve, 100))) {
    if (daemon.exitCode !== null || Date.now() - startedAt > START_MS)
      throw new Error(`dockerd does not answer; it said: ${said}`);
  }
  return {
    host,
    ask,
    async docker(...args) {
      const { code, stdout, stderr } = await ask(...args);
      if (code !== 0) throw new Error(`docker ${args.slice(0, 2).join(" ")} failed: ${stderr}`);
      return stdout.trim();
    },
    async stop() {
      const ids = (await ask("ps", "--all", "--quiet")).stdout.split("\n").filter((id) => id !== "");
      if (ids.length > 0) await ask("rm", "--force", ...ids);
      await end(daemon);
      unmountBelow(folder);
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** The commands that the image needs from its base, copied from this machine. */
const COMMANDS = ["sh", "chmod", "chown", "env", "id", "ln", "mkdir", "setpriv", "sleep", "tini", "true"];

/** Creates an image from a few files of this machine: a shell, the commands that the Dockerfile calls, tini and Node.js. */
export async function importBase({ host }: Dockerd, tag: string): Promise<void> {
  const root = mkdtempSync(join(tmpdir(), "baram-base-"));
  try {
    for (const name of COMMANDS) put(root, which(name), `/usr/bin/${name}`);
    put(root, process.execPath, "/usr/local/bin/node");
    // Shebang lines and shells expect commands in this folder.
    spawnSync("ln", ["-s", "usr/bin", join(root, "bin")]);
    mkdirSync(join(root, "etc"));
    mkdirSync(join(root, "tmp"), { mode: 0o1777 });
    spawnSync("chmod", ["1777", join(root, "tmp")]);
    const command = 'tar -C "$1" -c . | docker import - "$2"';
    const imported = spawnSync("sh", ["-c", command, "sh", root, tag], {
      env: { PATH: process.env.PATH ?? "", DOCKER_HOST: host },
      encoding: "utf8",
    });
    if (imported.status !== 0) throw new Error(`no base image: ${imported.stderr}`);
  } finally {
    rmSync(root, { recursive: true, force: true });
  }
}

function put(root: string, from: string, to: string): void {
  cpSync(from, join(root, to), { dereference: true });
  for (const library of spawnSync("ldd", [from], { encoding: "utf8" }).stdout.matchAll(/(\/\S+)\s+\(/g)) {
    const path = library[1] ?? "";
    if (existsSync(join(root, path))) continue;
    mkdirSync(dirname(join(root, path)), { recursive: true });
    cpSync(path, join(root, path), { dereference: true });
  }
}

/** A daemon that ends does not remove the mount of its network namespace. */
function unmountBelow(folder: string): void {
  const mounted = readFileSync("/proc/self/mounts", "utf8")
    .split("\n")
    .map((line) => line.split(" ")[1] ?? "");
  for (const path of mounted.filter((one) => one.startsWith(`${folder}/`)).reverse()) spawnSync("umount", ["--lazy", path]);
}

function which(name: string): string {
  const found = spawnSync("which", [name], { encoding: "utf8" }).stdout.trim();
  if (found === "") throw new Error(`this machine has no ${name}`);
  return found;
}

function ensure(script: string): void {
  const { status, stderr } = spawnSync(process.execPath, [join(findPackageRoot(), "scripts", script)], { encoding: "utf8" });
  if (status !== 0) throw new Error(stderr);
}

async function end(daemon: ChildProcess): Promise<void> {
  if (daemon.exitCode !== null || daemon.signalCode !== null) return;
  const ended = new Promise<void>((resolve) => {
    daemon.once("exit", () => resolve());
  });
  daemon.kill("SIGTERM");
  const timer = setTimeout(() => daemon.kill("SIGKILL"), 15_000);
  await ended;
  clearTimeout(timer);
}
