/** A real server that answers as AWS does, in a process of its own: moto, from PyPI. */
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { findPackageRoot } from "../../src/platform/index.ts";

export type MotoServer = {
  /** For AWS_ENDPOINT_URL, e.g. http://127.0.0.1:41231. */
  readonly url: string;
  /** What the SDK asks for; moto takes any. For the environment of a process, or of this one. */
  readonly environment: Readonly<Record<string, string>>;
  /** Forgets all buckets, clusters, queues … */
  reset(): Promise<void>;
  /** Stands still, connections open and unanswered, till `resume()`. */
  freeze(): void;
  resume(): void;
  stop(): Promise<void>;
};

/** `port`: default any free one; a given one lets a test stop the server and start it anew at the same place, empty. */
export async function startMotoServer({ port = 0 }: { port?: number } = {}): Promise<MotoServer> {
  const script = join(findPackageRoot(), "scripts", "ensure-moto.mjs");
  const ensured = spawnSync(process.execPath, [script], { encoding: "utf8" });
  if (ensured.status !== 0) throw new Error(ensured.stderr);
  const child = spawn(ensured.stdout.trim(), ["-m", "moto.server", "-H", "127.0.0.1", "-p", String(port)], {
    stdio: ["ignore", "ignore", "pipe"],
  });
  const url = await readAddress(child);
  return {
    url,
    environment: {
      AWS_ENDPOINT_URL: url,
      AWS_REGION: "us-east-1",
      AWS_ACCESS_KEY_ID: "testing",
      AWS_SECRET_ACCESS_KEY: "testing",
      // Else the SDK's chain may ask a machine's metadata service, which costs seconds where there is none.
      AWS_EC2_METADATA_DISABLED: "true",
    },
    async reset() {
      const response = await fetch(`${url}/moto-api/reset`, { method: "POST" });
      if (!response.ok) throw new Error(`moto was not reset: ${response.status} ${await response.text()}`);
    },
    freeze: () => void child.kill("SIGSTOP"),
    resume: () => void child.kill("SIGCONT"),
    stop: () => end(child),
  };
}

/** Reads on after the address: a pipe nobody empties would stop the server once it is full. */
function readAddress(child: ChildProcess): Promise<string> {
  let told = "";
  return new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("exit", () => reject(new Error(`moto ended at once: ${told}`)));
    if (child.stderr === null) throw new Error("moto has no stderr.");
    createInterface({ input: child.stderr }).on("line", (line) => {
      if (told.length < 10_000) told += `${line}\n`;
      const address = /Running on (http:\/\/[\d.]+:\d+)/.exec(line)?.[1];
      if (address !== undefined) resolve(address);
    });
  });
}

function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return Promise.resolve();
  return new Promise((resolve) => {
    child.once("exit", () => resolve());
    child.kill("SIGKILL");
  });
}
