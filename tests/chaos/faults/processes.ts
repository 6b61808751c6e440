/** Processes are killed, stopped or asked to end. */
import { sleep } from "../../../src/platform/index.ts";
import { type Blows, type Fault, pickRole, SHORT_TRY_LEASE, underLoad, WORKER_LOST } from "../fault.ts";
import type { Role, System } from "../system.ts";
import { fanOut } from "../workload.ts";

/** Longer than both leases: 3 s of a scheduler, 4 s of a try. */
const PAUSE_MS = 7_000;
/** Maximum time of a drain: 2 s for running tasks, 1 s for those that do not stop, and the reports. */
const DRAIN_BOUND_SEC = 20;

export const processFaults: readonly Fault[] = [
  {
    number: 1,
    name: "scheduler-kill-loop",
    injects:
      "SIGKILL of a random scheduler, now and then of an API server or a dag-processor, every 1 to 4 s; another is started",
    invariants: ["I1", "I2", "I3", "I4", "I5", "I6", "I7", "I10"],
    short: true,
    run: (context) =>
      underLoad(context, { size: context.isShort ? 80 : 300 }, async ({ system, fire, goesOn, wait }) => {
        await system.untilProgress(0.1);
        while (await goesOn()) {
          const name = system.random.pick(["scheduler", "scheduler", "scheduler", "api-server", "dag-processor"] as const);
          const role = pickRole(system, name);
          role.end("SIGKILL");
          fire();
          await role.ended;
          system.startRole(name, name === "api-server" ? { port: role.port ?? 0 } : {});
          await wait(1_000, 4_000);
        }
      }),
  },
  {
    number: 4,
    name: "scheduler-pause",
    injects: "SIGSTOP of a scheduler in the middle of a transaction, for twice its lease; a peer takes over; SIGCONT",
    invariants: ["I1", "I2", "I8"],
    run: (context) =>
      underLoad(context, { size: 300, faultSec: 25 }, async ({ system, fire, goesOn }) => {
        await system.untilProgress(0.1);
        while (await goesOn()) {
          const paused = await pauseInTransaction(system);
          if (!paused) continue;
          const job = await jobOf(system, paused);
          await sleep(PAUSE_MS);
          if ((await stateOfJob(system, job)) === "failed") fire();
          paused.signal("SIGCONT");
          await sleep(1_000);
        }
      }),
  },
  {
    number: 6,
    name: "worker-kill",
    injects: "SIGKILL of all runners, of a supervisor, or of a scheduler with its supervisor and runners, every second or two",
    invariants: ["I3", "I4", "I10"],
    run: (context) =>
      underLoad(
        context,
        { size: 250, faultSec: 20, expect: { lossReasons: WORKER_LOST } },
        async ({ system, fire, goesOn, wait }) => {
          await system.untilProgress(0.05);
          while (await goesOn()) {
            const kind = system.random.pick(["runners", "runners", "supervisor", "machine"] as const);
            const role = pickRole(system, "scheduler");
            const pids = [
              ...(kind === "runners" ? [] : system.pidsOf("supervisor", role)),
              ...(kind === "supervisor" ? [] : system.pidsOf("runner", kind === "runners" ? undefined : role)),
            ];
            if (kind === "machine") role.end("SIGKILL");
            for (const pid of pids) if (kill(pid, "SIGKILL")) fire();
            if (kind === "machine") system.startRole("scheduler");
            await wait(600, 2_000);
          }
        },
      ),
  },
  {
    number: 7,
    name: "worker-pause-resume",
    injects:
      "SIGSTOP of a supervisor and its runners beyond the tries' lease, so that they are given away; SIGCONT, and they report",
    invariants: ["I1", "I8", "I11"],
    run: (context) =>
      underLoad(
        context,
        {
          workload: { pools: [], dags: [slowFan(context.random, 60)] },
          faultSec: 22,
          runsOfEach: 1,
          expect: { lossReasons: WORKER_LOST },
          system: { environment: SHORT_TRY_LEASE },
        },
        async ({ system, fire, goesOn }) => {
          await system.untilProgress(0.1);
          while (await goesOn()) {
            const role = pickRole(system, "scheduler");
            const pids = [...system.pidsOf("supervisor", role), ...system.pidsOf("runner", role)];
            const before = await lostCount(system);
            for (const pid of pids) kill(pid, "SIGSTOP");
            await sleep(PAUSE_MS);
            if ((await lostCount(system)) > before) fire();
            for (const pid of pids) kill(pid, "SIGCONT");
            await sleep(1_500);
          }
        },
      ),
  },
  {
    number: 45,
    name: "graceful-drain",
    injects: "SIGTERM of a scheduler, an API server or a dag-processor under load; it must be gone in time, and nothing lost",
    invariants: ["I3", "I4", "I12"],
    short: false,
    run: async (context) => {
      const slow: string[] = [];
      const report = await underLoad(context, { size: 300, faultSec: 20 }, async (blows) => {
        await blows.system.untilProgress(0.05);
        while (await blows.goesOn()) slow.push(...(await drainOne(blows)));
      });
      return { ...report, verdicts: [...report.verdicts, { invariant: "I10", faults: slow }] };
    },
  },
];

async function drainOne({ system, fire, wait }: Blows): Promise<string[]> {
  const name = system.random.pick(["scheduler", "scheduler", "api-server", "dag-processor"] as const);
  // A process that is still starting has nothing to drain, and no signal handler yet.
  const { rows } = await system.store.query<{ pid: number }>("select pid from job where state = 'running'");
  const ready = system.roles(name).filter((one) => rows.some(({ pid }) => pid === one.pid));
  if (ready.length === 0) return wait(200, 200).then(() => []);
  const role = system.random.pick(ready);
  const startedAt = Date.now();
  if (name !== "api-server") system.startRole(name);
  role.end("SIGTERM");
  fire();
  const how = await Promise.race([role.ended, sleep(DRAIN_BOUND_SEC * 1_000).then(() => null)]);
  if (name === "api-server") {
    system.startRole(name, { port: role.port ?? 0 });
    await sleep(1_500);
  }
  await wait(200, 1_000);
  if (how === "code 0") return [];
  return [
    `${name} ${how === null ? `did not end within ${DRAIN_BOUND_SEC} s` : `ended with ${how} after ${(Date.now() - startedAt) / 1_000} s`}`,
  ];
}

function slowFan(random: Parameters<typeof fanOut>[2], width: number) {
  const dag = fanOut("slow", width, random);
  return { ...dag, tasks: dag.tasks.map((task) => ({ ...task, durationMs: random.between(300, 900) })) };
}

function kill(pid: number, signal: NodeJS.Signals): boolean {
  try {
    process.kill(pid, signal);
    return true;
  } catch {
    // It ended in between.
    return false;
  }
}

async function lostCount(system: System): Promise<number> {
  const { rows } = await system.store.query<{ n: number }>(
    "select count(*)::int as n from task_instance_history where reason like 'WorkerLostError%'",
  );
  return rows[0]?.n ?? 0;
}

/** Stops a scheduler while its connection is in an open transaction; null = it was not in a hundred attempts. */
async function pauseInTransaction(system: System): Promise<Role | null> {
  for (let attempt = 0; attempt < 100; attempt++) {
    const role = pickRole(system, "scheduler");
    role.signal("SIGSTOP");
    await sleep(30);
    const { rows } = await system.store.query(
      "select 1 from pg_stat_activity where application_name = 'baram scheduler' and state = 'idle in transaction' and now() - state_change > interval '25 ms'",
    );
    if (rows.length > 0) return role;
    role.signal("SIGCONT");
    await sleep(system.random.between(5, 50));
  }
  return null;
}

async function jobOf(system: System, role: Role): Promise<number> {
  const { rows } = await system.store.query<{ id: number }>(
    "select id from job where pid = $1 and job_type = 'SchedulerJob' order by id desc limit 1",
    [role.pid],
  );
  return rows[0]?.id ?? 0;
}

async function stateOfJob(system: System, id: number): Promise<string | undefined> {
  return (await system.store.query<{ state: string }>("select state from job where id = $1", [id])).rows[0]?.state;
}
