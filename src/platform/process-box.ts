import {
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  readSync,
  rmdirSync,
  writeFileSync,
} from "node:fs";
import { writeFile } from "node:fs/promises";
import { join, relative } from "node:path";

/**
 * A cgroup (version 2) around a process and all that it ever starts. A process cannot leave it, whatever it does to its parent, its
 * session or its environment, unless it is root.
 */
export type ProcessBox = {
  /** The processes in it, without ended ones. */
  pids(): number[];
  /** SIGKILL to all at once; nothing can fork away in between. */
  kill(): void;
  /** Removes it. It must be empty. */
  close(): void;
};

export type ProcessBoxes = {
  /**
   * A box around a process that was just started; null if it is not possible. It must not run user code before. The kernel takes
   * some 10 ms to move a process, so this thread does not wait for it.
   */
  hold(pid: number): Promise<ProcessBox | null>;
  close(): void;
};

const PREFIX = "baram-";

/**
 * A folder for boxes below this process's own cgroup; null where it may not create one: most containers, and users without a
 * delegated cgroup. `name` is unique on this machine.
 */
export function openProcessBoxes(name: string): ProcessBoxes | null {
  const own = ownCgroup();
  if (own === null) return null;
  removeLeftovers(own);
  const folder = join(own, `${PREFIX}${process.pid}-${name}`);
  try {
    mkdirSync(folder);
  } catch {
    return null;
  }
  let count = 0;
  return {
    async hold(pid) {
      const path = join(folder, `${++count}`);
      try {
        mkdirSync(path, { recursive: true });
        await writeFile(join(path, "cgroup.procs"), String(pid));
        return openBox(path);
      } catch {
        removeTree(path);
        return null;
      }
    },
    close: () => removeTree(folder),
  };
}

/** Kills all that is in the boxes of a process that has died, and removes them. */
export function killProcessBoxes(name: string): void {
  const own = ownCgroup();
  if (own === null) return;
  for (const folder of foldersIn(own).filter((one) => one.endsWith(`-${name}`))) {
    killAllIn(join(own, folder));
    removeTree(join(own, folder));
  }
}

function openBox(path: string): ProcessBox {
  const list = openSync(join(path, "cgroup.procs"), "r");
  const buffer = Buffer.alloc(64 * 1024);
  let isOpen = true;
  return {
    pids() {
      if (!isOpen) return [];
      let length = 0;
      try {
        // Read anew from the start each time; more than fits is read in the next round.
        length = readSync(list, buffer, 0, buffer.length, 0);
      } catch {
        // Removed, with all boxes of its owner: then nothing lives in it.
      }
      return buffer.toString("latin1", 0, length).split("\n").filter(Boolean).map(Number);
    },
    kill: () => isOpen && killAllIn(path),
    close() {
      if (!isOpen) return;
      isOpen = false;
      closeSync(list);
      removeTree(path);
    },
  };
}

function killAllIn(path: string): void {
  try {
    writeFileSync(join(path, "cgroup.kill"), "1");
  } catch {
    // Gone, or a kernel before 5.14, which has no such file: then each by itself, again for those that were forked in between.
    for (let round = 0; round < 5; round++) for (const pid of readPids(path)) kill(pid);
  }
}

function readPids(path: string): number[] {
  try {
    return readFileSync(join(path, "cgroup.procs"), "latin1").split("\n").filter(Boolean).map(Number);
  } catch {
    return [];
  }
}

function kill(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch {
    // ended in between
  }
}

/** Removes a cgroup and those inside it. Refused by the kernel, and left for the next start, while something lives in it. */
function removeTree(path: string): void {
  try {
    for (const entry of readdirSync(path, { withFileTypes: true })) if (entry.isDirectory()) removeTree(join(path, entry.name));
    rmdirSync(path);
  } catch {
    // not empty, or gone
  }
}

/** Removes the folders of processes that were killed themselves. A living one may be about to use its own, though it is empty. */
function removeLeftovers(own: string): void {
  for (const name of foldersIn(own)) {
    const pid = Number(name.slice(PREFIX.length).split("-")[0]);
    if (!existsSync(`/proc/${pid}`)) removeTree(join(own, name));
  }
}

function foldersIn(own: string): string[] {
  try {
    return readdirSync(own).filter((name) => name.startsWith(PREFIX));
  } catch {
    return [];
  }
}

/** The folder of this process's cgroup of version 2. */
function ownCgroup(): string | null {
  try {
    const path = /^0::(.*)$/m.exec(readFileSync("/proc/self/cgroup", "utf8"))?.[1];
    const mount = readFileSync("/proc/self/mountinfo", "utf8")
      .split("\n")
      .find((line) => line.includes(" - cgroup2 "))
      ?.split(" ");
    const [root, mountPoint] = [mount?.[3], mount?.[4]];
    if (path === undefined || root === undefined || mountPoint === undefined) return null;
    const below = relative(root, path);
    return below.startsWith("..") ? null : join(mountPoint, below);
  } catch {
    return null;
  }
}
