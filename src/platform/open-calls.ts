/** Calls of one process to its parent that wait for their answers at once; further ones wait in the process. */
const OPEN_MAX = 500;
/** A parent ends a process that has so many open: user code wrote them to the wire by itself. */
export const OPEN_CALLS_REFUSED = 1_000;

type Answer = { readonly ok: true; readonly result: unknown } | { readonly ok: false; readonly error: Error };

export type OpenCalls = {
  /** Sends a call with a number of its own, now or when there is room; settles with its answer. */
  ask<T>(send: (call: number) => void): Promise<T>;
  answer(call: number, answer: Answer): void;
};

/** The asking side of calls over a wire: numbers them, and settles each when its answer arrives. */
export function createOpenCalls(): OpenCalls {
  const open = new Map<number, { resolve(result: never): void; reject(error: Error): void }>();
  const waiting: (() => void)[] = [];
  let last = 0;
  return {
    ask<T>(send: (call: number) => void) {
      return new Promise<T>((resolve, reject) => {
        const make = () => {
          const call = ++last;
          open.set(call, { resolve, reject });
          send(call);
        };
        if (open.size < OPEN_MAX) make();
        else waiting.push(make);
      });
    },
    answer(call, answer) {
      const asked = open.get(call);
      open.delete(call);
      if (answer.ok) asked?.resolve(answer.result as never);
      else asked?.reject(answer.error);
      waiting.shift()?.();
    },
  };
}
