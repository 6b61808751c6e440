/**
 * A process for user code, as seen by the triggerer:
 * - booting: started, has not said `ready`; what it is to start waits;
 * - running: answers pings. One that misses too many is blocked, and is killed;
 * - ended: exited, killed, or its wire broke. Never left; `died` reports its triggers.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { randomUUID } from "node:crypto";
import type { Duplex, Readable } from "node:stream";
import { type LogRecord, type TriggerEnd, triggerEndSchema } from "../../contracts/index.ts";
import {
  type Account,
  BaramError,
  checkBy,
  commandAs,
  describeIssue,
  isUnsendable,
  keepProcess,
  OPEN_CALLS_REFUSED,
  openWire,
  ownPipes,
  type ProcessBoxes,
  type ProcessMark,
  startInterval,
  type Wire,
} from "../../platform/index.ts";
import type { ToChild } from "../child/messages.ts";
import type { ClaimedTrigger, TriggerMethod } from "../contract.ts";
import { fromChildSchema, type ReceivedFromChild } from "./from-child-schema.ts";

export type ChildEvents = {
  end(id: number, end: TriggerEnd): void;
  log(id: number, record: LogRecord): void;
  call(id: number, method: TriggerMethod, params: unknown): Promise<unknown>;
  blocked(blockedMs: number, ids: readonly number[]): void;
  /** A module's code has run, without ending the process. */
  loaded(modulePath: string): void;
  /** Once. `ids`: what it ran then; `unloaded`: those of them whose module was still being loaded. */
  died(how: string, ids: readonly number[], unloaded: readonly number[]): void;
};

export type ChildOptions = {
  entry: string;
  environment: Readonly<Record<string, string>>;
  blockedTimeoutSec: number;
  boxes?: ProcessBoxes | null;
};

export type TriggerChild = {
  readonly pid: number;
  /** The operating system user that it runs as; null = this process's own. */
  readonly account: Account | null;
  /** What it runs, each with the path of its module. */
  readonly ids: ReadonlyMap<number, string>;
  start(trigger: ClaimedTrigger, modulePath: string): void;
  cancel(id: number): void;
  kill(): void;
};

/**
 * Missed pings before a process is killed. Counted, not timed, so that a pause of the triggerer itself is not blamed on the child.
 */
const PINGS_MISSED_MAX = 5;

export function startTriggerChild(options: ChildOptions, account: Account | null, on: ChildEvents): TriggerChild {
  const { entry, environment, blockedTimeoutSec, boxes = null } = options;
  const mark: ProcessMark = { name: "BARAM_TRIGGERS_ID", value: randomUUID() };
  const command = commandAs(account, process.execPath, ["--enable-source-maps", entry], {
    ...environment,
    [mark.name]: mark.value,
  });
  const child: ChildProcess = spawn(command.command, command.args, {
    ...command.options,
    detached: true,
    stdio: ["ignore", "ignore", "ignore", "pipe"],
  });
  const keeper = keepProcess(child.pid ?? 0, { mark, account, boxes, isAlone: () => false });
  const ids = new Map<number, string>();
  const loaded = new Set<string>();
  let waiting: ToChild[] | null = [];
  let missedPings = 0;
  let endedBy: string | null = null;
  let killedFor: string | null = null;
  let openCalls = 0;
  let wire: Wire<ToChild> | null = null;

  ownPipes(child);
  const send = (message: ToChild) => {
    if (waiting !== null) waiting.push(message);
    else
      wire?.send(message).catch((error: unknown) => {
        if (isUnsendable(error)) onUnsent(message, error);
        // A broken wire is reported by `died`.
      });
  };
  /** Too long: the caller gets the reason. */
  const onUnsent = (message: ToChild, error: BaramError) => {
    if (message.type === "answer") send({ type: "answer", call: message.call, ok: false, message: error.message });
    if (message.type === "start" && ids.delete(message.id))
      on.end(message.id, { kind: "failed", message: `its options cannot be handed to its process: ${error.message}` });
  };
  const kill = (why: string) => {
    killedFor ??= why;
    keeper.killAll();
  };
  const end = (how: string) => {
    if (endedBy !== null) return;
    endedBy = killedFor ?? how;
    pings.cancel();
    keeper.killAll();
    void keeper.killUntilGone();
    // A process that has not taken a trigger yet has loaded no module.
    const unloaded = [...ids].filter(([, modulePath]) => !loaded.has(modulePath));
    on.died(
      endedBy,
      [...ids.keys()],
      unloaded.map(([id]) => id),
    );
  };
  const pings = startInterval((blockedTimeoutSec * 1_000) / PINGS_MISSED_MAX, () => {
    if (waiting !== null) return;
    if (missedPings >= PINGS_MISSED_MAX) kill(`its event loop was blocked for more than ${blockedTimeoutSec} s`);
    missedPings++;
    send({ type: "ping" });
  });
  child.once("error", (error) => end(`it could not be started: ${error.message}`));
  child.once("exit", (code, signal) => end(signal ? `it was killed by ${signal}` : `it ended with exit code ${code}`));
  if (child.pid !== undefined) {
    wire = openWire<ReceivedFromChild, ToChild>(child.stdio[3] as Duplex & Readable, {
      check: checkBy(fromChildSchema),
      message: onMessage,
      close(fault) {
        // An invalid frame. A reset connection means that the process is ending, as a closed one does.
        if (fault instanceof BaramError) return kill(`it broke the wire: ${fault.message}`);
        // Mostly the process is just ending, and its exit will be reported in a moment.
        setTimeout(() => endedBy === null && kill("it closed the wire"), 1_000).unref();
      },
    });
  }

  function onMessage(message: ReceivedFromChild): void {
    switch (message.type) {
      case "ready":
        void keeper.held.then(() => {
          const held = waiting ?? [];
          waiting = null;
          for (const one of held) send(one);
        });
        return;
      case "pong":
        missedPings = 0;
        return;
      case "loaded":
        loaded.add(message.modulePath);
        on.loaded(message.modulePath);
        return;
      case "blocked":
        on.blocked(message.blockedMs, [...ids.keys()]);
        return;
      case "stopped":
        ids.delete(message.id);
        return;
      case "end": {
        if (!ids.delete(message.id)) return;
        const end = triggerEndSchema.safeParse(message.end);
        on.end(
          message.id,
          end.success ? end.data : { kind: "failed", message: `its event cannot be taken: ${describeIssue(end.error)}` },
        );
        return;
      }
      case "log":
        if (ids.has(message.id)) on.log(message.id, message);
        return;
      case "call":
        void answer(message);
        return;
    }
  }

  async function answer({ call, id, method, params }: Extract<ReceivedFromChild, { type: "call" }>): Promise<void> {
    if (openCalls >= OPEN_CALLS_REFUSED) {
      kill(`it made more than ${OPEN_CALLS_REFUSED} calls without waiting for their answers`);
      return;
    }
    openCalls++;
    try {
      if (!ids.has(id)) throw new Error("this trigger was stopped");
      send({ type: "answer", call, ok: true, result: await on.call(id, method, params) });
    } catch (error) {
      send({ type: "answer", call, ok: false, message: error instanceof Error ? error.message : String(error) });
    } finally {
      openCalls--;
    }
  }

  return {
    pid: child.pid ?? 0,
    account,
    ids,
    start({ id, classpath, kwargs, task }, modulePath) {
      ids.set(id, modulePath);
      send({ type: "start", id, modulePath, name: classpath, kwargs, task });
    },
    cancel(id) {
      ids.delete(id);
      send({ type: "cancel", id });
    },
    kill: () => kill("the triggerer ends"),
  };
}
