/** Roles of all kinds die at random, while tasks wait for triggers. */
import { type Fault, pickRole, underLoad } from "../fault.ts";
import { mixedLoad, type Workload, waiting } from "../workload.ts";

export const everyRoleFaults: readonly Fault[] = [
  {
    number: 51,
    name: "every-role-kill-loop",
    injects:
      "SIGKILL of a random one of 3 schedulers, 2 API servers, 2 dag-processors and 2 triggerers, every 0.7 to 2.5 s; another is started later",
    invariants: ["I1", "I2", "I3", "I4", "I5", "I6", "I7", "I8", "I10"],
    short: true,
    run: (context) => {
      const { random, isShort } = context;
      const load = mixedLoad(random, isShort ? 40 : 200);
      const workload: Workload = { ...load, dags: [...load.dags, waiting("waiting", isShort ? 12 : 60, random)] };
      const killed = new Set<string>();
      // One of each of these first, however short the load is: at least two kinds must die.
      const first = random
        .pick([
          ["scheduler", "triggerer"],
          ["triggerer", "scheduler"],
        ] as const)
        .slice();
      const environment = {
        BARAM__TRIGGERER__JOB_HEARTBEAT_SEC: "0.5",
        BARAM__TRIGGERER__TRIGGERER_HEALTH_CHECK_THRESHOLD: "3",
      };
      return underLoad(context, { workload, system: { environment } }, async ({ system, fire, goesOn, wait }) => {
        await system.untilProgress(0.05);
        while (await goesOn()) {
          const name =
            first.shift() ??
            system.random.pick(["scheduler", "scheduler", "triggerer", "triggerer", "api-server", "dag-processor"] as const);
          const role = pickRole(system, name);
          role.end("SIGKILL");
          killed.add(name);
          await role.ended;
          // The remaining processes do the work alone for a while.
          await wait(300, 1_000);
          system.startRole(name, name === "api-server" ? { port: role.port ?? 0 } : {});
          await wait(700, 2_500);
        }
        // Counts as an injection only if at least two kinds of roles died.
        if (killed.size >= 2) fire(killed.size);
      });
    },
  },
];
