/** Faults 1, 4, 6, 7, 45: processes that are killed, stopped or asked to end. */
import { type Fault, pickRole, underLoad } from "../fault.ts";

export const processFaults: readonly Fault[] = [
  {
    number: 1,
    name: "scheduler-kill-loop",
    injects: "SIGKILL of a random scheduler every 1 to 4 s, another started in its place",
    invariants: ["I1", "I2", "I3", "I4", "I5", "I6", "I7", "I10"],
    short: true,
    run: (context) =>
      underLoad(context, {}, async ({ system, fire, goesOn, wait }) => {
        await system.untilProgress(0.1);
        while (await goesOn()) {
          pickRole(system, "scheduler").end("SIGKILL");
          fire();
          system.startRole("scheduler");
          await wait(1_000, 4_000);
        }
      }),
  },
];
