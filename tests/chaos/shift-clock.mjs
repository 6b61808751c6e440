// node --import shift-clock.mjs: this process reads its wall clock CHAOS_SHIFT_MS off, and the workers below it
// CHAOS_WORKER_SHIFT_MS. Monotonic clocks and timers stay as they are, as they do when a machine's clock is wrong.
import child_process from "node:child_process";
import { syncBuiltinESMExports } from "node:module";
import { fileURLToPath } from "node:url";

const shiftMs = Number(process.env.CHAOS_SHIFT_MS ?? 0);
const workerShiftMs = process.env.CHAOS_WORKER_SHIFT_MS ?? "0";
const RealDate = Date;

globalThis.Date = class ShiftedDate extends RealDate {
  constructor(...given) {
    if (given.length === 0) super(RealDate.now() + shiftMs);
    else super(...given);
  }
  static now() {
    return RealDate.now() + shiftMs;
  }
};

// The product starts its workers with a clean environment and options of its own; the shift goes along by these.
const withShift = (options) => ({
  ...options,
  env: { ...options?.env, CHAOS_SHIFT_MS: workerShiftMs, CHAOS_WORKER_SHIFT_MS: workerShiftMs },
});
const self = ["--import", fileURLToPath(import.meta.url)];
const { fork, spawn } = child_process;
child_process.fork = (entry, args, options) =>
  fork(entry, args, { ...withShift(options), execArgv: [...self, ...(options?.execArgv ?? [])] });
child_process.spawn = (command, args, options) =>
  command === process.execPath ? spawn(command, [...self, ...args], withShift(options)) : spawn(command, args, options);
syncBuiltinESMExports();
