/**
 * The connection between workers and the execution API, as all executors' workers use it: a test can delay, record and drop its
 * requests.
 */
import type { IncomingMessage } from "node:http";
import type { MiddlewareHandler } from "hono";
import { type BatchItem, batchItemSchema, batchRequestSchema } from "../../src/contracts/index.ts";
import { createGate } from "../support/scheduler-rig.ts";

export type SentEnd = Extract<BatchItem, { op: "finish" }>;
export type HeldStarts = {
  /** Resolves when a worker has asked to start a try and waits: its launch is certain then. */
  readonly asked: Promise<void>;
  release(): void;
};

export type ApiWire = {
  readonly middleware: MiddlewareHandler;
  /** Every end that a worker reported, in the form in which it was reported. */
  readonly ends: readonly SentEnd[];
  /** When the try's end was first reported, by this machine's clock. */
  endsAt(id: string): number | undefined;
  /** The try ids of all requests to start, including refused ones. */
  readonly starts: readonly string[];
  /** Workers that ask to start a try wait until `release`. */
  holdStarts(): HeldStarts;
  /** The API is away, for workers and schedulers, until `restore`: their connections are reset. */
  cutOff(): { restore(): void };
  /** The next end is stored, and the worker receives a gateway error instead of the answer; resolves after that. */
  loseNextEndAnswer(): Promise<void>;
};

export function createApiWire(): ApiWire {
  const ends: SentEnd[] = [];
  const starts: string[] = [];
  const toldAt = new Map<string, number>();
  let gate: ReturnType<typeof createGate> | null = null;
  let onLost: (() => void) | null = null;
  let isAway = false;
  return {
    ends,
    starts,
    endsAt: (id) => toldAt.get(id),
    holdStarts() {
      const held = createGate();
      gate = held;
      return {
        asked: held.entered,
        release() {
          gate = null;
          held.open();
        },
      };
    },
    cutOff() {
      isAway = true;
      return {
        restore() {
          isAway = false;
        },
      };
    },
    loseNextEndAnswer: () =>
      new Promise((resolve) => {
        onLost = resolve;
      }),
    async middleware(c, next) {
      if (isAway) {
        (c.env as { incoming: IncomingMessage }).incoming.socket.destroy();
        return c.body(null, 502);
      }
      if (!c.req.path.endsWith("/baram/batch")) return next();
      const items = batchRequestSchema.parse(await c.req.json()).items.map((item) => batchItemSchema.parse(item));
      const asked = items.filter(({ op }) => op === "run").map(({ id }) => id);
      starts.push(...asked);
      if (asked.length > 0) await gate?.pass();
      const told = items.filter((item) => item.op === "finish");
      ends.push(...told);
      for (const { id } of told) if (!toldAt.has(id)) toldAt.set(id, Date.now());
      await next();
      if (told.length === 0 || !onLost) return;
      onLost();
      onLost = null;
      c.res = new Response("the answer was lost on its way", { status: 502 });
    },
  };
}
