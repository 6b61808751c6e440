/** Network faults for the calls of workers and users. */
import type { Fault } from "../fault.ts";
import { SHORT_TRY_LEASE, underLoad, WORKER_LOST } from "../fault.ts";
import type { Call } from "../proxy.ts";

const isExecution = (call: Call) => call.path.startsWith("/execution/");

export const wireFaults: readonly Fault[] = [
  {
    number: 11,
    name: "duplicate-delivery",
    injects: "every call of a worker is delivered twice, one after the other or to both API servers at once",
    invariants: ["I1", "I2", "I8"],
    run: (context) =>
      underLoad(context, { faultSec: 60 }, async ({ system, fire, goesOn, wait }) => {
        system.proxy.setMeddler((call) => {
          if (!isExecution(call)) return null;
          fire();
          return { deliveries: 2, atOnce: context.random.chance(0.5) };
        });
        while (await goesOn()) await wait(500, 500);
      }),
  },
  {
    number: 12,
    name: "lost-response",
    injects: "one in six answers is lost after the server did what it was asked",
    invariants: ["I1", "I4", "I8", "I12"],
    short: true,
    run: (context) =>
      underLoad(context, { faultSec: 60 }, async ({ system, fire, goesOn, wait }) => {
        system.proxy.setMeddler(() => {
          if (!context.random.chance(1 / 6)) return null;
          fire();
          return { lose: "answer" };
        });
        for (const { dagId } of system.workload.dags) await system.trigger(dagId);
        while (await goesOn()) await wait(500, 500);
      }),
  },
  {
    number: 13,
    name: "reordered-reports",
    injects: "heartbeats are held back past the end of their tries, and copies of old starts and ends come again seconds later",
    invariants: ["I2", "I8"],
    run: (context) =>
      underLoad(context, { faultSec: 60 }, async ({ system, fire, goesOn, wait }) => {
        const late: Promise<unknown>[] = [];
        system.proxy.setMeddler((call) => {
          if (call.path.endsWith("/heartbeat")) {
            fire();
            return { delayMs: context.random.between(200, 1_500) };
          }
          if (!call.path.endsWith("/batch") || !context.random.chance(0.5)) return null;
          const again = new Promise((resolve) => setTimeout(resolve, context.random.between(20, 3_000)));
          late.push(
            again.then(() => {
              fire();
              return system.proxy.send(call).catch(() => null);
            }),
          );
          return null;
        });
        while (await goesOn()) await wait(500, 500);
        await Promise.all(late);
      }),
  },
  {
    number: 14,
    name: "partition",
    injects: "for 8 s no call of a worker reaches the API; then those that wait are answered",
    invariants: ["I1", "I8", "I11"],
    run: (context) =>
      underLoad(
        context,
        { size: 250, faultSec: 40, expect: { lossReasons: WORKER_LOST }, system: { environment: SHORT_TRY_LEASE } },
        async ({ system, fire, goesOn, wait }) => {
          await system.untilProgress(0.1);
          while (await goesOn()) {
            system.proxy.setMeddler((call) => {
              if (!isExecution(call)) return null;
              fire();
              return { lose: "request" };
            });
            await wait(8_000, 8_000);
            system.proxy.setMeddler(null);
            await wait(4_000, 4_000);
          }
        },
      ),
  },
  {
    number: 15,
    name: "latency-and-errors",
    injects: "50 to 500 ms before every call, and one in twenty answered with 500, 503 or 429",
    invariants: ["I3"],
    run: async (context) => {
      let calls = 0;
      let tries = 0;
      const report = await underLoad(context, { size: 100, faultSec: 60 }, async ({ system, fire, goesOn, wait }) => {
        system.proxy.setMeddler(() => {
          const meddling = { delayMs: context.random.between(50, 500) };
          if (!context.random.chance(0.05)) return meddling;
          fire();
          return { ...meddling, answer: { status: context.random.pick([500, 503, 429]), body: '{"detail":"on purpose"}' } };
        });
        while (await goesOn()) await wait(500, 500);
        calls = system.proxy.calls();
        tries = (await system.history()).acknowledged.length;
      });
      // A start and an end each: with heartbeats, modules and repetitions, this is well below three calls per try.
      const storm = calls > tries * 3 + 200 ? [`${calls} calls for ${tries} starts and ends: the repetitions storm`] : [];
      return { ...report, verdicts: [...report.verdicts, { invariant: "I3", faults: storm }] };
    },
  },
];
