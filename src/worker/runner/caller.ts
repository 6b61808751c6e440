import type { RunnerCalls, RunnerMethod } from "../../contracts/index.ts";
import { BaramError, createOpenCalls } from "../../platform/index.ts";
import type { FromRunner, ToRunner } from "../wire/index.ts";
import type { RunnerCaller } from "./runner-caller.ts";

type Answer = Extract<ToRunner, { type: "answer" }>;

/** The runner's side of calls. */
export function createCaller(send: (message: FromRunner) => void): RunnerCaller & { answer(message: Answer): void } {
  const calls = createOpenCalls();
  return {
    call<M extends RunnerMethod>(method: M, params: RunnerCalls[M]["params"]) {
      return calls.ask<RunnerCalls[M]["result"]>((call) => send({ type: "call", call, method, params } as FromRunner));
    },
    answer(message) {
      calls.answer(message.call, message.ok ? message : { ok: false, error: new BaramError(message.code, message.message) });
    },
  };
}
