import { spawn } from "node:child_process";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { Duplex } from "node:stream";
import type { z } from "zod";
import {
  type Account,
  BaramError,
  commandAs,
  findPackageRoot,
  keepProcess,
  openWire,
  ownPipes,
  type ProcessBoxes,
  type Wire,
} from "../platform/index.ts";

const OUTPUT_TAIL_CHARS = 8 * 1024;
const MEMORY_CHECK_MS = 200;
/** Memory of Node and the SDK outside of the heap, with space for a file's own buffers. */
const BESIDE_HEAP_MB = 256;

export type ChildOptions = {
  /** The complete environment of the child: PATH, HOME, TZ, LANG and variables that authors may read. `BARAM_*` is removed. */
  environment: Record<string, string>;
  /** Limit of the heap; resident memory may be 256 MB more. */
  memoryMb: number;
  /** The operating system user that it runs as; null or left out = this process's own. */
  account?: Account | null;
  boxes?: ProcessBoxes | null;
  /** Limit that the kernel enforces, for a child in an endless loop whose parent was killed; null = none. */
  cpuLimitSec: number | null;
};

/** `script`: a file of the folder child. Every message of the child must match `schema`. */
export type ChildKind<Message extends { type: string }> = {
  script: string;
  schema: z.ZodType<Message>;
  /** Whether the memory of the processes that it starts counts as its own. */
  countsItsChildren: boolean;
};

/** How a child ended. `memoryBytes` is set if it was killed because of its resident memory. */
export type ChildEnd = { code: number | null; signal: NodeJS.Signals | null; memoryBytes: number | null; fault: string | null };

export type Child<Request> = {
  pid: number;
  send(request: Request): void;
  /** Kills the child and its process group; resolves when it has ended. */
  kill(): Promise<void>;
  ended: Promise<ChildEnd>;
  /** The last 8 KB of its stdout and stderr since `forgetOutput`. */
  output(): string;
  forgetOutput(): void;
};

/** Starts a process for loading DAG files; `onMessage` receives its validated answers. */
export function startChild<Request, Message extends { type: string }>(
  kind: ChildKind<Message>,
  options: ChildOptions,
  onMessage: (message: Message) => void,
): Child<Request> {
  const entry = join(findPackageRoot(), "dist", "dag-files", "child", kind.script);
  const flags = [`--max-old-space-size=${options.memoryMb}`, "--enable-source-maps", "--no-warnings"];
  // The shell sets the limits and replaces itself by node: no core dumps of crashing DAG files, no endless loop that outlives the
  // parent.
  const cpuLimit = options.cpuLimitSec === null ? "" : `ulimit -t ${Math.ceil(options.cpuLimitSec)}; `;
  const limits = `ulimit -c 0; ${cpuLimit}exec "$0" "$@"`;
  const { account = null, boxes = null } = options;
  const start = commandAs(
    account,
    "/bin/sh",
    ["-c", limits, process.execPath, ...flags, entry],
    cleanEnvironment(options.environment),
  );
  const child = spawn(start.command, start.args, {
    ...start.options,
    stdio: ["ignore", "pipe", "pipe", "pipe"],
    // A process group of its own, so that processes that the file starts are killed with it.
    detached: true,
  });
  ownPipes(child);
  const pid = child.pid ?? 0;
  // Other evaluations may run as the same account, so what has lost its parent cannot be told apart.
  const keeper = keepProcess(pid, { mark: null, account, boxes, isAlone: () => false });
  let output = "";
  let memoryBytes: number | null = null;
  let fault: string | null = null;

  const kill = () => {
    keeper.killAll();
    return ended.then(() => undefined);
  };
  const stopMemoryWatch = watchMemory(pid, kind.countsItsChildren, (options.memoryMb + BESIDE_HEAP_MB) * 1024 * 1024, (bytes) => {
    memoryBytes = bytes;
    keeper.killAll();
  });
  const ended = new Promise<ChildEnd>((resolve) => {
    const end = (code: number | null, signal: NodeJS.Signals | null) => {
      stopMemoryWatch();
      // Processes that it started must not outlive it, however it ended.
      keeper.killAll();
      void keeper.killUntilGone().then(() => resolve({ code, signal, memoryBytes, fault }));
    };
    child.once("error", (error) => {
      fault = `could not start the evaluation process: ${error.message}`;
      end(null, null);
    });
    // "close" would wait for grandchildren that hold stdout open; "exit" comes before the last frames are read.
    child.once("exit", (code, signal) => setImmediate(() => setTimeout(() => end(code, signal), 5)));
  });
  for (const stream of [child.stdout, child.stderr]) {
    stream?.setEncoding("utf8").on("data", (text: string) => {
      output = (output + text).slice(-OUTPUT_TAIL_CHARS);
    });
  }
  const fail = (what: string, why: string) => {
    fault ??= `${what}: ${why.slice(0, 500)}`;
    keeper.killAll();
  };
  const pipe = child.stdio[3];
  let wire: Wire<Request> | null = null;
  if (pipe instanceof Duplex) {
    wire = openWire<unknown, Request>(pipe, {
      message(message) {
        if (fault !== null) return;
        const checked = kind.schema.safeParse(message);
        if (checked.success && checked.data.type === "ready") void keeper.held.then(() => onMessage(checked.data));
        else if (checked.success) onMessage(checked.data);
        else fail("the answer of the evaluation process cannot be read", checked.error.message);
      },
      close(broken) {
        // The wire also closes when the process ends; its exit event reports that.
        if (broken instanceof BaramError) fail("the answer of the evaluation process cannot be read", broken.message);
      },
    });
  }
  return {
    pid,
    send(request) {
      // If the process has ended, its exit is reported separately; if it is alive, it would wait for a request that never
      // arrives.
      wire?.send(request).catch((error: Error) => fail("the file could not be sent to the evaluation process", error.message));
    },
    kill,
    ended,
    output: () => output,
    forgetOutput() {
      output = "";
    },
  };
}

function cleanEnvironment(environment: Record<string, string>): Record<string, string> {
  return Object.fromEntries(Object.entries(environment).filter(([name]) => !/^BARAM_|^NODE_OPTIONS$/i.test(name)));
}

/**
 * Buffers are outside of the heap, so the heap limit does not include them. On systems other than Linux only the heap is limited.
 */
function watchMemory(pid: number, withChildren: boolean, limitBytes: number, onOver: (bytes: number) => void): () => void {
  const timer = setInterval(async () => {
    const children = withChildren ? await readFile(`/proc/${pid}/task/${pid}/children`, "utf8").catch(() => "") : "";
    const sizes = await Promise.all([`${pid}`, ...(children.match(/\d+/g) ?? [])].map(residentBytes));
    const bytes = sizes.reduce((sum, size) => sum + size, 0);
    if (bytes > limitBytes) onOver(bytes);
  }, MEMORY_CHECK_MS);
  timer.unref();
  return () => clearInterval(timer);
}

async function residentBytes(pid: string): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, "utf8").catch(() => "");
  return Number(/^VmRSS:\s*(\d+) kB/m.exec(status)?.[1] ?? 0) * 1024;
}
