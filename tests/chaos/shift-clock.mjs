// node --import shift-clock.mjs: shifts the wall clock of this process by CHAOS_SHIFT_MS, and that of its workers by
// CHAOS_WORKER_SHIFT_MS. Monotonic clocks and timers do not change, as with a wrong clock of a machine.
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

// The product starts its workers with a clean environment and its own options; the shift is passed in these.
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
