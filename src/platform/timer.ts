/**
 * Node's timers are limited to 2^31 - 1 ms (24.8 days); a longer one fires immediately, with a warning on stderr. These timers
 * have no limit: they wait in steps that Node supports. Every wait whose length comes from data (an option, a DAG file, a size)
 * must use them; `timer.test.ts` checks the sources.
 */
const LEG_MAX_MS = 2 ** 31 - 1;

export type Timer = {
  cancel(): void;
  /** The timer alone does not keep the process alive. */
  unref(): Timer;
};

/** Calls `then` after `ms`; never if `ms` is Infinity. */
export function startTimer(ms: number, then: () => void): Timer {
  return start(ms, then, false);
}

/** Calls `then` every `ms`; the first call is after `ms`. */
export function startInterval(ms: number, then: () => void): Timer {
  return start(ms, then, true);
}

/** Like `AbortSignal.timeout`: aborts with a TimeoutError, and does not keep the process alive. */
export function timeoutSignal(ms: number): AbortSignal {
  if (ms <= LEG_MAX_MS) return AbortSignal.timeout(ms);
  const controller = new AbortController();
  startTimer(ms, () => controller.abort(new DOMException("The operation was aborted due to timeout", "TimeoutError"))).unref();
  return controller.signal;
}

function start(ms: number, then: () => void, isRepeated: boolean): Timer {
  let left = ms;
  let isRef = true;
  let leg: NodeJS.Timeout;
  function next(): void {
    const legMs = Math.min(left, LEG_MAX_MS);
    left -= legMs;
    leg = setTimeout(onLeg, legMs);
    if (!isRef) leg.unref();
  }
  function onLeg(): void {
    if (left > 0) {
      next();
      return;
    }
    if (isRepeated) {
      left = ms;
      next();
    }
    then();
  }
  next();
  const timer: Timer = {
    cancel: () => clearTimeout(leg),
    unref() {
      isRef = false;
      leg.unref();
      return timer;
    },
  };
  return timer;
}
