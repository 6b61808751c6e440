/** The whole suite; run.mjs starts it and passes the options. */
import { FAULTS } from "./faults/index.ts";
import { playFaults } from "./play.ts";

const only = process.env.CHAOS_ONLY?.split(",").map(Number);
const minutes = process.env.CHAOS_MINUTES;

playFaults(
  FAULTS.filter((fault) => !only || only.includes(fault.number)),
  { isShort: Boolean(process.env.CHAOS_SHORT), deadlineMs: minutes ? Date.now() + Number(minutes) * 60_000 : undefined },
);
