/**
 * Node's timers keep 2^31 - 1 ms, 24.8 days; a longer one fires at once, with a warning on stderr. These wait as long as they are told, in
 * legs that Node can keep. Every wait whose length comes from data (an option, a DAG file, a size) is one of these: `timer.test.ts` looks
 * through the sources.
 */
const LEG_MAX_MS = 2 ** 31 - 1;

export type Timer = {
  cancel(): void;
  /** It alone keeps no process alive. */
  unref(): Timer;
};

/** Calls `then` after `ms`; never where that is Infinity. */
export function startTimer(ms: number, then: () => void): Timer {
  return start(ms, then, false);
}

/** Calls `then` every `ms`, for the first time after `ms`. */
export function startInterval(ms: number, then: () => void): Timer {
  return start(ms, then, true);
}

/** As `AbortSignal.timeout`: aborts with a TimeoutError, and keeps no process alive. */
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
