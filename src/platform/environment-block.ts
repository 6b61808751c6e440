import { closeSync, openSync, readFileSync, readSync, writeSync } from "node:fs";

/** In `/proc/self/stat`, counted from the field after the program's name: the addresses of the environment block. */
const ENV_START = 47;
const ENV_END = 48;

/**
 * Overwrites variables in the block of memory with which this process was started. It is what `/proc/<pid>/environ` shows to every
 * process of the same user, and `delete process.env.X` leaves it as it is. The variables must have been deleted from `process.env`
 * before, since that reads the same memory. Returns whether they are gone: false without Linux's `/proc`.
 */
export function eraseFromBlock(names: ReadonlySet<string>): boolean {
  let memory: number | null = null;
  try {
    const facts = readFileSync("/proc/self/stat", "latin1");
    const fields = facts.slice(facts.lastIndexOf(")") + 2).split(" ");
    const start = Number(fields[ENV_START]);
    const block = Buffer.alloc(Number(fields[ENV_END]) - start);
    memory = openSync("/proc/self/mem", "r+");
    readSync(memory, block, 0, block.length, start);
    for (let at = 0; at < block.length; ) {
      const end = block.indexOf(0, at);
      if (end === -1) break;
      const name = block.toString("utf8", at, Math.max(at, block.indexOf("=", at)));
      if (names.has(name)) writeSync(memory, Buffer.alloc(end - at), 0, end - at, start + at);
      at = end + 1;
    }
    const left = readFileSync("/proc/self/environ", "utf8").split("\0");
    return !left.some((entry) => names.has(entry.slice(0, entry.indexOf("="))));
  } catch {
    return false;
  } finally {
    if (memory !== null) closeSync(memory);
  }
}

/**
 * Calls `start` while this process has another environment: for a package that starts a program and offers no way to give it one.
 * `start` must start it before it returns.
 */
export function withEnvironment<T>(environment: NodeJS.ProcessEnv, start: () => T): T {
  const own = process.env;
  process.env = environment;
  try {
    return start();
  } finally {
    process.env = own;
  }
}
