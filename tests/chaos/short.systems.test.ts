/** The short form of `npm run chaos`: the faults that are marked short, with less load. */
import { FAULTS } from "./faults/index.ts";
import { playFaults } from "./play.ts";

playFaults(
  FAULTS.filter((fault) => fault.short),
  { isShort: true },
);
