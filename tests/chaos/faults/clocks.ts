/** Wrong clocks, and tokens that expire before their purpose is fulfilled. */
import { fileURLToPath } from "node:url";
import { sleep } from "../../../src/platform/index.ts";
import { type Fault, underLoad } from "../fault.ts";
import type { System } from "../system.ts";
import { chainOf, failing, fanOut } from "../workload.ts";

const PRELOAD = fileURLToPath(new URL("../shift-clock.mjs", import.meta.url));
const MINUTE_MS = 60_000;
/** The minimum of the option. */
const TOKEN_SEC = 5;

/** For each scheduler and for its workers. */
const SHIFTS = [
  { own: 10 * MINUTE_MS, workers: 0 },
  { own: -10 * MINUTE_MS, workers: 60 * MINUTE_MS },
  { own: 60 * MINUTE_MS, workers: -60 * MINUTE_MS },
];

export const clockFaults: readonly Fault[] = [
  {
    number: 26,
    name: "clock-skew",
    injects: "schedulers 10 min ahead, 10 min behind and 1 h ahead, their workers 1 h ahead and behind",
    invariants: ["I1", "I6"],
    run: async (context) => {
      const startDate = new Date(Math.floor(Date.now() / MINUTE_MS) * MINUTE_MS - 20 * MINUTE_MS).toISOString();
      const scheduled = (dagId: string, catchup: boolean) => ({
        ...chainOf(dagId, 2, context.random),
        schedule: "* * * * *",
        startDate,
        catchup,
        maxActiveRuns: 3,
      });
      const wrong: string[] = [];
      const report = await underLoad(
        context,
        {
          workload: {
            pools: [],
            dags: [
              scheduled("caught_up", true),
              scheduled("from_now", false),
              fanOut("fan", 40, context.random),
              failing("failing", context.random),
            ],
          },
          runsOfEach: 1,
          expect: { intervalMs: MINUTE_MS, recoverySec: 60 },
          system: {
            each: (role, index) => {
              const shift = role === "scheduler" ? SHIFTS[index % SHIFTS.length] : undefined;
              if (!shift) return {};
              return {
                nodeArguments: ["--import", PRELOAD],
                environment: { CHAOS_SHIFT_MS: String(shift.own), CHAOS_WORKER_SHIFT_MS: String(shift.workers) },
              };
            },
          },
        },
        async ({ system, fire }) => {
          // Long enough for the start of two minutes: if one clock skipped a date, it would be missing between them.
          const until = Date.now() + 2 * MINUTE_MS + 5_000;
          while (Date.now() < until) await sleep(500);
          wrong.push(...(await runsOutOfTime(system)));
          await pause(system);
          fire((await shiftedProcesses(system)) > 0 ? 1 : 0);
        },
      );
      return { ...report, verdicts: [...report.verdicts, { invariant: "I6", faults: wrong }] };
    },
    timeoutSec: 300,
  },
  {
    number: 42,
    name: "token-life",
    injects: "tasks that run for three times the life of their token, and wait in the queue for longer than it",
    invariants: ["I1", "I4"],
    run: (context) => {
      const dag = fanOut("long", 12, context.random);
      const tasks = dag.tasks.map((task) => ({
        ...task,
        failTries: 0,
        durationMs: task.taskId === "last" ? 50 : 3 * TOKEN_SEC * 1_000 + 500,
      }));
      return underLoad(
        context,
        {
          workload: { pools: [], dags: [{ ...dag, maxActiveTasks: 32, tasks }] },
          runsOfEach: 1,
          faultSec: 60,
          system: {
            environment: {
              BARAM__EXECUTION_API__JWT_EXPIRATION_TIME: String(TOKEN_SEC),
              // Tries that run meanwhile must not be declared lost.
              BARAM__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT: "20",
            },
          },
        },
        async ({ system, fire, goesOn, wait }) => {
          // Stopped while they have workloads that have not started.
          while ((await queuedCount(system)) === 0) await sleep(5);
          const pids = system.pidsOf("supervisor");
          for (const pid of pids) process.kill(pid, "SIGSTOP");
          await sleep(TOKEN_SEC * 1_000 + 1_500);
          const waited = await queuedCount(system);
          for (const pid of pids) process.kill(pid, "SIGCONT");
          fire(waited);
          while (await goesOn()) await wait(500, 500);
        },
      );
    },
  },
];

/** Runs that were created before the end of their interval, by the database's clock. */
async function runsOutOfTime(system: System): Promise<string[]> {
  const { rows } = await system.store.query<{ run: string; early: number }>(
    `select dag_id || '/' || run_id as run, extract(epoch from data_interval_end - created_at)::float8 as early
       from dag_run where run_type = 'scheduled' and created_at < data_interval_end`,
  );
  const { rows: dags } = await system.store.query<{ dag: string; n: number; late: number }>(
    `select dag_id as dag, count(*)::int as n, extract(epoch from now() - max(data_interval_end))::float8 as late
       from dag_run where run_type = 'scheduled' group by dag_id`,
  );
  return [
    ...rows.map(({ run, early }) => `${run} was created ${early} s too early`),
    ...(dags.length === 2 ? [] : [`only ${dags.map(({ dag }) => dag)} had scheduled runs`]),
    ...dags.filter(({ late }) => late > 75).map(({ dag, late }) => `the last run of ${dag} is ${Math.round(late)} s behind`),
  ];
}

/** No further runs from here on, so that the existing ones can end. */
async function pause(system: System): Promise<void> {
  await system.store.query("update dag set next_dagrun_create_after = null where next_dagrun_create_after is not null");
}

async function shiftedProcesses(system: System): Promise<number> {
  // The trace uses the workers' wall clocks, which are shifted; their monotonic clocks are right.
  const { trace } = await system.history();
  const offsets = trace.map((line) => line.wallMs - line.monotonicMs);
  return Math.max(...offsets) - Math.min(...offsets) > 30 * MINUTE_MS ? 1 : 0;
}

async function queuedCount(system: System): Promise<number> {
  const { rows } = await system.store.query<{ n: number }>("select count(*)::int as n from task_instance where state = 'queued'");
  return rows[0]?.n ?? 0;
}
