/** A real server that answers as AWS does, in a separate process: moto, from PyPI. */
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { findPackageRoot } from "../../src/platform/index.ts";

export type MotoServer = {
  /** For AWS_ENDPOINT_URL, e.g. http://127.0.0.1:41231. */
  readonly url: string;
  /** The variables that the SDK needs; moto accepts any credentials. For a child process, or for this one. */
  readonly environment: Readonly<Record<string, string>>;
  /** Deletes all buckets, clusters, queues … */
  reset(): Promise<void>;
  /** Freezes the server, with open connections that get no answer, until `resume()`. */
  freeze(): void;
  resume(): void;
  stop(): Promise<void>;
};

/** `port`: default any free one; with a given port, a test can stop the server and start an empty one at the same address. */
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
      // Otherwise the SDK may query a machine's metadata service, which takes seconds if there is none.
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

/** Continues to read after the address: a full pipe that nobody reads would block the server. */
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
