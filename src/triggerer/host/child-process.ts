/**
 * One process for user code as the triggerer sees it:
 * - booting: started, has not said `ready`; what it is to start waits;
 * - running: answers pings. One that owes too many is blocked, and is killed;
 * - ended: gone, or killed, or it broke the wire. Never left; its triggers are told of with `died`.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { randomUUID } from "node:crypto";
import type { Duplex, Readable } from "node:stream";
import { type TriggerEnd, triggerEndSchema } from "../../contracts/index.ts";
import { BaramError, killMarked, type ProcessMark, signalGroup, startInterval } from "../../platform/index.ts";
import { openWire, type Wire } from "../../worker/wire/index.ts";
import type { FromChild, ToChild } from "../child/messages.ts";
import type { ClaimedTrigger, LogLevel, TriggerMethod } from "../contract.ts";

export type ChildEvents = {
  end(id: number, end: TriggerEnd): void;
  log(id: number, level: LogLevel, message: string, facts?: Record<string, unknown>): void;
  call(id: number, method: TriggerMethod, params: unknown): Promise<unknown>;
  blocked(blockedMs: number, ids: readonly number[]): void;
  /** Once. `ids`: what it ran then. */
  died(how: string, ids: readonly number[]): void;
};

export type ChildOptions = {
  entry: string;
  environment: Readonly<Record<string, string>>;
  blockedTimeoutSec: number;
};

export type TriggerChild = {
  readonly pid: number;
  readonly ids: ReadonlySet<number>;
  start(trigger: ClaimedTrigger, modulePath: string): void;
  cancel(id: number): void;
  kill(): void;
};

/** Pings a blocked process misses before it is killed. Counted, not timed: a pause of our own is no fault of the child's. */
const PINGS_MISSED_MAX = 5;

export function startTriggerChild({ entry, environment, blockedTimeoutSec }: ChildOptions, on: ChildEvents): TriggerChild {
  const mark: ProcessMark = { name: "BARAM_TRIGGERS_ID", value: randomUUID() };
  const child: ChildProcess = spawn(process.execPath, ["--enable-source-maps", entry], {
    detached: true,
    stdio: ["ignore", "ignore", "ignore", "pipe"],
    env: { ...environment, [mark.name]: mark.value },
  });
  const ids = new Set<number>();
  let waiting: ToChild[] | null = [];
  let missedPings = 0;
  let endedBy: string | null = null;
  let killedFor: string | null = null;
  let wire: Wire<ToChild> | null = null;

  const send = (message: ToChild) => {
    if (waiting !== null) waiting.push(message);
    // A wire that breaks is reported by `died`.
    else wire?.send(message).catch(() => {});
  };
  const kill = (why: string) => {
    killedFor ??= why;
    if (child.pid !== undefined) signalGroup(child.pid, "SIGKILL");
    killMarked(mark);
  };
  const end = (how: string) => {
    if (endedBy !== null) return;
    endedBy = killedFor ?? how;
    pings.cancel();
    killMarked(mark);
    on.died(endedBy, [...ids]);
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
    wire = openWire<FromChild, ToChild>(child.stdio[3] as Duplex & Readable, {
      message: onMessage,
      close(fault) {
        // A frame that cannot be trusted. A connection that is reset is a process that ends, as one that is closed.
        if (fault instanceof BaramError) return kill(`it broke the wire: ${fault.message}`);
        // Mostly it just ends, and how will be told in a moment.
        setTimeout(() => endedBy === null && kill("it closed the wire"), 1_000).unref();
      },
    });
  }

  function onMessage(message: FromChild): void {
    switch (message.type) {
      case "ready": {
        const held = waiting ?? [];
        waiting = null;
        for (const one of held) send(one);
        return;
      }
      case "pong":
        missedPings = 0;
        return;
      case "blocked":
        on.blocked(message.blockedMs, [...ids]);
        return;
      case "stopped":
        ids.delete(message.id);
        return;
      case "end": {
        if (!ids.delete(message.id)) return;
        const end = triggerEndSchema.safeParse(message.end);
        on.end(message.id, end.success ? end.data : { kind: "failed", message: "its end cannot be read" });
        return;
      }
      case "log":
        if (ids.has(message.id)) on.log(message.id, message.level, message.message, message.facts);
        return;
      case "call":
        void answer(message);
        return;
    }
  }

  async function answer({ call, id, method, params }: Extract<FromChild, { type: "call" }>): Promise<void> {
    try {
      if (!ids.has(id)) throw new Error("this trigger was stopped");
      send({ type: "answer", call, ok: true, result: await on.call(id, method, params) });
    } catch (error) {
      send({ type: "answer", call, ok: false, message: error instanceof Error ? error.message : String(error) });
    }
  }

  return {
    pid: child.pid ?? 0,
    ids,
    start({ id, classpath, kwargs, task }, modulePath) {
      ids.add(id);
      send({ type: "start", id, modulePath, name: classpath, kwargs, task });
    },
    cancel(id) {
      ids.delete(id);
      send({ type: "cancel", id });
    },
    kill: () => kill("the triggerer ends"),
  };
}
