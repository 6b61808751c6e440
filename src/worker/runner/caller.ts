import type { RunnerCalls, RunnerMethod } from "../../contracts/index.ts";
import { BaramError } from "../../platform/index.ts";
import type { FromRunner, ToRunner } from "../wire/index.ts";
import type { RunnerCaller } from "./runner-caller.ts";

/** Calls that wait for their answers at once. A supervisor ends a process that has far more of them open. */
const OPEN_MAX = 500;

type Answer = Extract<ToRunner, { type: "answer" }>;

/** The runner's side of calls: numbers them, and settles each when its answer arrives. */
export function createCaller(send: (message: FromRunner) => void): RunnerCaller & { answer(message: Answer): void } {
  const open = new Map<number, { resolve(result: unknown): void; reject(error: Error): void }>();
  const waiting: (() => void)[] = [];
  let last = 0;
  return {
    call<M extends RunnerMethod>(method: M, params: RunnerCalls[M]["params"]) {
      return new Promise<RunnerCalls[M]["result"]>((resolve, reject) => {
        const make = () => {
          const call = ++last;
          open.set(call, { resolve: resolve as (result: unknown) => void, reject });
          send({ type: "call", call, method, params } as FromRunner);
        };
        if (open.size < OPEN_MAX) make();
        else waiting.push(make);
      });
    },
    answer(message) {
      const asked = open.get(message.call);
      open.delete(message.call);
      if (message.ok) asked?.resolve(message.result);
      else asked?.reject(new BaramError(message.code, message.message));
      waiting.shift()?.();
    },
  };
}
