import { spawn } from "node:child_process";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { Duplex } from "node:stream";
import { BaramError, findPackageRoot, openWire, ownPipes, type Wire } from "../platform/index.ts";
import { type ChildMessage, childMessageSchema, type EvaluateRequest } from "./child/messages.ts";

const OUTPUT_TAIL_CHARS = 8 * 1024;
const MEMORY_CHECK_MS = 200;
/** What Node and the SDK take beside the heap, with room for a file's own buffers. */
const BESIDE_HEAP_MB = 256;

export type ChildOptions = {
  /** The whole environment of the child: PATH, HOME, TZ, LANG and what authors may see. `BARAM_*` is taken out. */
  environment: Record<string, string>;
  /** Limit of the heap; resident memory may be 256 MB more. */
  memoryMb: number;
  /** The kernel's own limit, for a child in an endless loop whose parent was killed. */
  cpuLimitSec: number;
};

/** How a child came to its end. `memoryBytes` is set when it was killed for its resident memory. */
export type ChildEnd = { code: number | null; signal: NodeJS.Signals | null; memoryBytes: number | null; fault: string | null };

export type Child = {
  pid: number;
  send(request: EvaluateRequest): void;
  /** Kills the child and everything in its process group; resolves once it is gone. */
  kill(): Promise<void>;
  ended: Promise<ChildEnd>;
  /** The last 8 KB of what it wrote to stdout and stderr since `forgetOutput`. */
  output(): string;
  forgetOutput(): void;
};

/** Starts a process for evaluating DAG files; `onMessage` gets what it answers, checked. */
export function startChild(options: ChildOptions, onMessage: (message: ChildMessage) => void): Child {
  const entry = join(findPackageRoot(), "dist", "dag-files", "child", "entry.js");
  const flags = [`--max-old-space-size=${options.memoryMb}`, "--enable-source-maps", "--no-warnings"];
  // The shell sets the limits and becomes node: no core dumps of crashing DAG files, no endless loop that outlives us.
  const limits = `ulimit -c 0; ulimit -t ${Math.ceil(options.cpuLimitSec)}; exec "$0" "$@"`;
  const child = spawn("/bin/sh", ["-c", limits, process.execPath, ...flags, entry], {
    env: cleanEnvironment(options.environment),
    stdio: ["ignore", "pipe", "pipe", "pipe"],
    // A process group of its own, so that what the file starts is killed with it.
    detached: true,
  });
  ownPipes(child);
  const pid = child.pid ?? 0;
  let output = "";
  let memoryBytes: number | null = null;
  let fault: string | null = null;

  const kill = () => {
    killGroup(pid);
    return ended.then(() => undefined);
  };
  const stopMemoryWatch = watchMemory(pid, (options.memoryMb + BESIDE_HEAP_MB) * 1024 * 1024, (bytes) => {
    memoryBytes = bytes;
    killGroup(pid);
  });
  const ended = new Promise<ChildEnd>((resolve) => {
    const end = (code: number | null, signal: NodeJS.Signals | null) => {
      stopMemoryWatch();
      // What it started must not outlive it either, however it ended.
      killGroup(pid);
      resolve({ code, signal, memoryBytes, fault });
    };
    child.once("error", (error) => {
      fault = `could not start the evaluation process: ${error.message}`;
      end(null, null);
    });
    // "close" would wait for grandchildren that hold stdout; "exit" comes before the last frames are read.
    child.once("exit", (code, signal) => setImmediate(() => setTimeout(() => end(code, signal), 5)));
  });
  for (const stream of [child.stdout, child.stderr]) {
    stream?.setEncoding("utf8").on("data", (text: string) => {
      output = (output + text).slice(-OUTPUT_TAIL_CHARS);
    });
  }
  const fail = (what: string, why: string) => {
    fault ??= `${what}: ${why.slice(0, 500)}`;
    killGroup(pid);
  };
  const pipe = child.stdio[3];
  let wire: Wire<EvaluateRequest> | null = null;
  if (pipe instanceof Duplex) {
    wire = openWire<unknown, EvaluateRequest>(pipe, {
      message(message) {
        if (fault !== null) return;
        const checked = childMessageSchema.safeParse(message);
        if (checked.success) onMessage(checked.data);
        else fail("the answer of the evaluation process cannot be read", checked.error.message);
      },
      close(broken) {
        // A process that ends closes it too, and how it ended is told by its exit.
        if (broken instanceof BaramError) fail("the answer of the evaluation process cannot be read", broken.message);
      },
    });
  }
  return {
    pid,
    send(request) {
      // Where the process has gone, its end is told already; where it lives, it would wait for a request that never comes.
      wire?.send(request).catch((error: Error) => fail("the file could not be given to the evaluation process", error.message));
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

function killGroup(pid: number): void {
  if (pid === 0) return;
  try {
    process.kill(-pid, "SIGKILL");
  } catch {
    // Gone already.
  }
}

/** Buffers lie outside the heap, so its limit does not bound them. Elsewhere than on Linux only the heap is bounded. */
function watchMemory(pid: number, limitBytes: number, onOver: (bytes: number) => void): () => void {
  const timer = setInterval(async () => {
    const status = await readFile(`/proc/${pid}/status`, "utf8").catch(() => "");
    const bytes = Number(/^VmRSS:\s*(\d+) kB/m.exec(status)?.[1] ?? 0) * 1024;
    if (bytes > limitBytes) onOver(bytes);
  }, MEMORY_CHECK_MS);
  timer.unref();
  return () => clearInterval(timer);
}
