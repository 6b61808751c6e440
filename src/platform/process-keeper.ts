import { readFileSync } from "node:fs";
import type { Account } from "./account.ts";
import type { ProcessBox, ProcessBoxes } from "./process-box.ts";
import { killMarked, listProcesses, listSince, newestPid, type ProcessMark, signalGroup, watchChildren } from "./process-tree.ts";
import { sleep } from "./sleep.ts";

/**
 * Finds what a process has started, to kill it. In this order:
 * - in a box (a cgroup), which nothing can leave;
 * - with an account: its descendants; and those that have detached themselves, if no other process of the account could have started
 *   them. Their environment cannot be read, which needs a right that Baram may lack;
 * - by the process group and the mark in the environment.
 */
export type ProcessKeeper = {
  /** Resolves once the process may run user code: all that it starts from now on is found. */
  readonly held: Promise<void>;
  /** Whether the process has started others that still live. Cheap: it is asked after every try. */
  hasOthers(): boolean;
  /** With `since`: only those started after that pid, where the mark is all there is. */
  killOthers(since: number | null): void;
  killAll(): void;
  /** Kills until none is left: a killed process disappears only after the kernel has ended it. */
  killUntilGone(): Promise<void>;
};

export type KeeperOptions = {
  /** null: only the process group, where there is neither a box nor an account. */
  readonly mark: ProcessMark | null;
  readonly boxes: ProcessBoxes | null;
  readonly account: Account | null;
  /** Whether all processes of the account that nobody watches belong to this process. */
  readonly isAlone: () => boolean;
};

const GONE_LOOK_MS = 10;
/** Maximum wait for a process in an uninterruptible sleep (a dead network disk), which the kernel may not end for a long time. */
const GONE_WAIT_MS = 5_000;

export function keepProcess(pid: number, options: KeeperOptions): ProcessKeeper {
  const { mark, account, isAlone } = options;
  const children = watchChildren(pid);
  let box: ProcessBox | null = null;
  let checkedUpTo = newestPid();

  const findOthers = (): number[] => {
    if (box !== null) return box.pids().filter((one) => one !== pid);
    if (account === null) return [];
    const withStrays = isAlone();
    const newest = newestPid();
    const pids = findOfAccount(account.uid, pid, checkedUpTo, withStrays);
    // What was found is killed now; what was spared is looked at again.
    if (withStrays) checkedUpTo = newest;
    return pids;
  };
  const killEach = (pids: readonly number[]) => {
    for (const one of pids) {
      try {
        process.kill(one, "SIGKILL");
      } catch {
        // ended in between
      }
    }
  };
  const held = pid > 0 && options.boxes !== null ? options.boxes.hold(pid) : Promise.resolve(null);
  const keeper: ProcessKeeper = {
    held: held.then((made) => {
      box = made;
    }),
    hasOthers: () => (box !== null ? box.pids().length > 1 : account !== null || children.hasAny()),
    killOthers(since) {
      // Again, since a process may fork in between.
      for (let round = 0; round < 5; round++) {
        const others = findOthers();
        if (others.length === 0) break;
        killEach(others);
      }
      if (mark !== null && box === null && account === null) killMarked(mark, pid, since);
    },
    killAll() {
      if (pid === 0) return;
      signalGroup(pid, "SIGKILL");
      if (box !== null) box.kill();
      else if (account !== null) keeper.killOthers(null);
      else if (mark !== null) killMarked(mark);
    },
    async killUntilGone() {
      children.close();
      await keeper.held;
      for (let waitedMs = 0; waitedMs < GONE_WAIT_MS; waitedMs += GONE_LOOK_MS) {
        // The process itself has ended.
        if (box !== null || account !== null || mark === null ? findOthers().length === 0 : killMarked(mark) === 0) break;
        keeper.killAll();
        await sleep(GONE_LOOK_MS);
      }
      box?.close();
    },
  };
  return keeper;
}

type Status = { readonly process: number; readonly parent: number; readonly uid: number };

function readStatus(pid: number): Status | null {
  try {
    const text = readFileSync(`/proc/${pid}/status`, "latin1");
    if (/^State:\s*Z/m.test(text)) return null;
    const number = (name: string) => Number(new RegExp(`^${name}:\\s*(\\d+)`, "m").exec(text)?.[1]);
    return { process: number("Tgid"), parent: number("PPid"), uid: number("Uid") };
  } catch {
    return null;
  }
}

/**
 * Processes of the account below `root`; with `withStrays`, also those whose parent is gone, that is which init has adopted, and what
 * these have started. Not those that Baram has started, such as other runners: their parent is alive and of another user. Only
 * processes that were started after `since` are looked at.
 */
function findOfAccount(uid: number, root: number, since: number | null, withStrays: boolean): number[] {
  const pids = since === null ? listProcesses() : listSince(since);
  return pids.filter((pid) => {
    const own = readStatus(pid);
    // A number may be that of a thread, also of one of `root`.
    if (pid === root || own === null || own.uid !== uid || own.process !== pid) return false;
    let isStray = withStrays;
    for (let at = own, depth = 0; depth < 1_000; depth += 1) {
      if (at.parent === root) return true;
      const parent = at.parent <= 1 ? null : readStatus(at.parent);
      if (parent === null) return isStray;
      if (parent.uid !== uid) isStray = false;
      at = parent;
    }
    return false;
  });
}
