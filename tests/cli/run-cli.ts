import { spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect } from "vitest";
import type { ServerAddress } from "../../src/store/index.ts";

export const MAIN = fileURLToPath(new URL("../../dist/cli/main.js", import.meta.url));

export type Ended = { code: number | null; stdout: string; stderr: string };

export type Cli = {
  /** A folder with a DAG folder `dags`, in which the commands run. */
  readonly folder: string;
  readonly environment: Readonly<Record<string, string>>;
  writeDag(name: string, text: string): string;
  run(...args: string[]): Promise<Ended>;
  runWith(environment: Record<string, string>, ...args: string[]): Promise<Ended>;
  /** With this text on stdin. */
  runWithInput(input: string, ...args: string[]): Promise<Ended>;
  /** Runs a command that must succeed, with `-o json`, and parses its output. */
  json<T>(...args: string[]): Promise<T>;
  /** Runs a command that must fail with this exit code, one sentence on stderr and nothing on stdout; returns the sentence. */
  fails(code: number, ...args: string[]): Promise<string>;
  remove(): void;
};

/** The compiled command line in a separate process with its own BARAM_HOME. Without an address: the embedded database. */
export function createCli(address?: ServerAddress): Cli {
  const folder = mkdtempSync(join(tmpdir(), "baram cli "));
  mkdirSync(join(folder, "dags"));
  const environment: Record<string, string> = {
    PATH: process.env.PATH ?? "",
    HOME: process.env.HOME ?? "",
    BARAM_HOME: join(folder, "home"),
    BARAM__CORE__DAGS_FOLDER: join(folder, "dags"),
    BARAM__CORE__LOAD_EXAMPLES: "false",
    ...(address
      ? { BARAM__DATABASE__URL: urlOf(address), BARAM__CORE__ENCRYPTION_KEY: Buffer.alloc(32, 7).toString("base64") }
      : {}),
  };
  const start = (more: Record<string, string>, input: string | null, args: readonly string[]) =>
    new Promise<Ended>((resolve, reject) => {
      const child = spawn(process.execPath, [MAIN, ...args], {
        cwd: folder,
        env: { ...environment, ...more },
        stdio: [input === null ? "ignore" : "pipe", "pipe", "pipe"],
      });
      child.stdin?.on("error", () => {});
      child.stdin?.end(input);
      let stdout = "";
      let stderr = "";
      child.stdout?.on("data", (chunk: Buffer) => (stdout += chunk.toString("utf8")));
      child.stderr?.on("data", (chunk: Buffer) => (stderr += chunk.toString("utf8")));
      child.once("error", reject);
      child.once("close", (code) => resolve({ code, stdout, stderr }));
    });
  const runWith = (more: Record<string, string>, ...args: string[]) => start(more, null, args);
  const run = (...args: string[]) => runWith({}, ...args);
  return {
    folder,
    environment,
    run,
    runWith,
    runWithInput: (input, ...args) => start({}, input, args),
    writeDag(name, text) {
      const path = join(folder, "dags", name);
      mkdirSync(dirname(path), { recursive: true });
      writeFileSync(path, text);
      return path;
    },
    async json<T>(...args: string[]) {
      const ended = await run(...args, "-o", "json");
      expect(ended, args.join(" ")).toMatchObject({ code: 0 });
      return JSON.parse(ended.stdout) as T;
    },
    async fails(code, ...args) {
      const ended = await run(...args);
      expect(ended, args.join(" ")).toMatchObject({ code, stdout: "" });
      // Tests may run as root, of which a command that runs a DAG's code warns.
      const stderr = ended.stderr.replace(/^The DAG's code runs as root.*\n/, "");
      expect(stderr).toMatch(/^error: .+\n/);
      expect(stderr).not.toContain("    at ");
      return stderr.slice("error: ".length).trim();
    },
    remove: () => rmSync(folder, { recursive: true, force: true }),
  };
}

function urlOf({ user, password, database, host, port }: ServerAddress): string {
  return `postgres://${user}:${encodeURIComponent(password)}@/${database}?host=${encodeURIComponent(host)}&port=${port}`;
}
