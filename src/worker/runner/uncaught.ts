import { toError } from "../../platform/index.ts";
import { describeError } from "./task-failure.ts";

/** Uncaught errors: they would end a plain Node process, so they fail the current try. */

export type Uncaught = {
  /** Rejects with the first such error since `begin`. */
  readonly thrown: Promise<never>;
  /** That error, or null. */
  first(): Error | null;
};

type Sink = { onError(error: Error, text: string): void; onIdle(text: string): void };

/** `onError`: while a try is at work; `onIdle`: while none is. Call once, at the start of the process. */
export function watchUncaught(sink: Sink): { begin(): Uncaught; end(): void } {
  let current: { fail(error: Error): void } | null = null;

  const watch = (event: "uncaughtException" | "unhandledRejection", what: string) =>
    process.on(event, (reason: unknown) => {
      // As in plain Node: an error for which the task has its own listener counts as handled.
      if (process.listenerCount(event) > 1) return;
      const error = toError(reason);
      const text = `${what}: ${describeError(error).stack ?? ""}`;
      if (current === null) return sink.onIdle(text);
      sink.onError(error, text);
      current.fail(error);
    });
  watch("uncaughtException", "an error was thrown that nobody could catch");
  watch("unhandledRejection", "a promise was rejected and nobody handled it");

  return {
    begin() {
      let first: Error | null = null;
      const thrown = new Promise<never>((_resolve, reject) => {
        current = {
          fail(error) {
            first ??= error;
            reject(error);
          },
        };
      });
      thrown.catch(() => undefined);
      return { thrown, first: () => first };
    },
    end() {
      current = null;
    },
  };
}
