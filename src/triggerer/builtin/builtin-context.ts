import type { LogLevel } from "../../contracts/index.ts";
import { sleep } from "../../platform/index.ts";
import type { TriggerCaller } from "../contract.ts";

/** The context of a built-in trigger. */
export type BuiltinContext = {
  readonly signal: AbortSignal;
  now(): number;
  call: TriggerCaller;
  log(level: LogLevel, message: string): void;
};

/** Waits until `atMs` or an abort. Reads the clock again at the end, in case the machine slept or its clock was set. */
export async function sleepUntil(atMs: number, { signal, now }: BuiltinContext): Promise<void> {
  for (let leftMs = atMs - now(); leftMs > 0 && !signal.aborted; leftMs = atMs - now()) {
    await sleep(Math.ceil(leftMs), signal);
  }
  signal.throwIfAborted();
}

/** Polls until there is an answer, every `intervalSec`. */
export async function poll<T>(ctx: BuiltinContext, intervalSec: number, ask: () => Promise<T | undefined>): Promise<T> {
  for (;;) {
    const answer = await ask();
    if (answer !== undefined) return answer;
    await sleepUntil(ctx.now() + intervalSec * 1_000, ctx);
  }
}

/** At most `limit` at once; the others wait in their order. */
export function createGate(limit: number): <T>(work: () => Promise<T>) => Promise<T> {
  const waiting: (() => void)[] = [];
  let open = limit;
  return async (work) => {
    if (open > 0) open--;
    else await new Promise<void>((resolve) => waiting.push(resolve));
    try {
      return await work();
    } finally {
      const next = waiting.shift();
      if (next) next();
      else open++;
    }
  };
}
