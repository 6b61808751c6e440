/** Faults at one exact point: on schedulers in this process, which are paused or broken there. */
import { sleep } from "../../../src/platform/index.ts";
import { createDagCache, finishByOutcome, markRun } from "../../../src/scheduler/index.ts";
import { adoptOrphans } from "../../../src/scheduler/recover.ts";
import { failSilentTries } from "../../../src/scheduler/watch-silence.ts";
import { SUCCESS } from "../../support/fake-executor.ts";
import { createGate, type Rig } from "../../support/scheduler-rig.ts";
import { failStatements, STATEMENT_FAULTS, type StatementFault } from "../fail-statements.ts";
import type { Fault } from "../fault.ts";
import type { Random } from "../random.ts";
import { onRigs, type Rigs } from "../rigs.ts";
import { saveScheduled } from "../save-scheduled.ts";
import { chainOf, failing, fanOut, mixedLoad, type Workload } from "../workload.ts";

const MINUTE_MS = 60_000;

export const exactPointFaults: readonly Fault[] = [
  {
    number: 2,
    name: "crash-after-enqueue",
    injects: "a scheduler dies after it queued tries and before an executor has them; it wakes up later and hands them over",
    invariants: ["I1", "I4", "I8"],
    short: true,
    run: ({ random, isShort }) =>
      onRigs(small(random), async (rigs) => {
        let fired = 0;
        const heir = await rigs.rig();
        for (let round = 0; round < (isShort ? 5 : 40); round++) {
          const gate = createGate();
          const dying = await rigs.rig({ pause: (at) => (at === "after-queue-commit" ? gate.pass() : Promise.resolve()) });
          for (const { dagId } of rigs.dags) await rigs.trigger(dagId);
          const never = dying.pass();
          await gate.entered;
          const { rows } = await rigs.database.store.query("select 1 from task_instance where state = 'queued'");
          if (rows.length > 0) fired++;
          await rigs.silence(dying);
          await adoptOrphans(heir.resources, heir.options);
          // The scheduler that counts as dead may wake up in the middle of the other's work.
          const wakes = sleep(random.between(0, 20)).then(() => gate.open());
          await rigs.untilDone([heir]);
          await wakes;
          await never;
          await dying.executor.settled();
        }
        return { fired };
      }),
  },
  {
    number: 3,
    name: "crash-in-run-creation",
    injects: "a scheduler dies at each statement of the transaction that creates a run and its task instances",
    invariants: ["I6", "I12"],
    short: true,
    run: ({ random }) =>
      onRigs(
        { pools: [], dags: [] },
        async (rigs) => {
          const start = new Date(Math.floor(Date.now() / MINUTE_MS) * MINUTE_MS - 120 * MINUTE_MS);
          const tasks = [{ taskId: "a" }, { taskId: "b", upstream: ["a"] }];
          await saveScheduled(rigs.database.store, { dagId: "minutely", expression: "* * * * *", startDate: start, tasks });
          const heir = await rigs.rig();
          // From begin to commit, and the first statement of the pass after it.
          const statements = await countCreation(heir);
          let fired = 0;
          for (let n = 1; n <= statements; n++) {
            // Without slots: tries that it queued before would wait for adoption, which another fault tests.
            const dying = await rigs.rig({ slots: 0 });
            const failing = failStatements(dying.store);
            failing.arm(n, "lost", true);
            await dying.pass().catch(() => {});
            if (failing.failed() !== null) fired++;
            await untilNoticed(rigs);
            await heir.pass();
            await heir.executor.settled();
            if (random.chance(0.3)) await heir.pass();
          }
          await rigs.untilDone([heir]);
          const { rows } = await rigs.database.store.query<{ run: string; n: number }>(
            "select r.run_id as run, count(t.*)::int as n from dag_run r left join task_instance t on t.dag_run_id = r.id group by r.id having count(t.*) <> 2",
          );
          return {
            fired,
            faults: [{ invariant: "I6" as const, faults: rows.map(({ run, n }) => `${run} has ${n} of 2 instances`) }],
          };
        },
        { intervalMs: MINUTE_MS },
      ),
  },
  {
    number: 5,
    name: "schedulers-race",
    injects: "three schedulers pass at once, held at their pause points until another is there too",
    invariants: ["I1", "I4", "I5"],
    short: true,
    run: ({ random, isShort }) =>
      onRigs(mixedLoad(random, isShort ? 40 : 150), async (rigs) => {
        let fired = 0;
        let inside = 0;
        const meet = async () => {
          inside++;
          if (inside > 1) fired++;
          // Long enough for another scheduler to reach its own point, if the locks allow it.
          for (let turn = 0; turn < random.between(1, 20); turn++) await new Promise((resolve) => setImmediate(resolve));
          inside--;
        };
        const all = [await rigs.rig({ pause: meet }), await rigs.rig({ pause: meet }), await rigs.rig({ pause: meet })];
        for (let round = 0; round < (isShort ? 1 : 3); round++) for (const { dagId } of rigs.dags) await rigs.trigger(dagId);
        for (let turn = 0; turn < 1_000; turn++) {
          await Promise.all(all.map((rig) => rig.pass()));
          const { rows } = await rigs.database.store.query("select 1 from dag_run where state in ('queued', 'running') limit 1");
          if (rows.length === 0) break;
        }
        await rigs.untilDone(all);
        const handed = all.flatMap((rig) => rig.executor.handed.map(({ ti }) => ti.id));
        const twice = handed.length - new Set(handed).size;
        return {
          fired,
          faults: [{ invariant: "I1" as const, faults: twice > 0 ? [`${twice} tries were handed over twice`] : [] }],
        };
      }),
  },
  {
    number: 8,
    name: "success-against-timeout",
    injects: "a try's success and the verdict that its worker is dead, at the same instant",
    invariants: ["I2", "I4"],
    short: true,
    run: ({ random, isShort }) =>
      onRigs(
        silentTries(50),
        async (rigs) => {
          const owner = await rigs.rig({ work: () => null });
          const others = [await rigs.rig(), await rigs.rig()];
          let successes = 0;
          let losses = 0;
          const lies: string[] = [];
          for (let round = 0; round < (isShort ? 3 : 20); round++) {
            const ids = await startAll(rigs, owner);
            await rigs.database.store.query(
              "update task_instance set last_heartbeat_at = now() - interval '1 hour' where state = 'running'",
            );
            const reaped = others.map((rig) => failSilentTries(rig.resources, { ...rig.options, silentTrySec: 300 }));
            const told = ids.map(async (id) => {
              await sleep(random.between(0, 90));
              const ended = await finishByOutcome(rigs.database.store, owner.resources.dags, [{ id, outcome: SUCCESS }]);
              return ended.length > 0 ? id : null;
            });
            const taken = (await Promise.all(told)).filter((id) => id !== null);
            losses += (await Promise.all(reaped)).reduce((sum, n) => sum + n, 0);
            successes += taken.length;
            const { rows } = await rigs.database.store.query<{ id: string }>(
              "select id from task_instance where state = 'success'",
            );
            const stored = new Set(rows.map((row) => row.id));
            for (const id of taken) if (!stored.has(id)) lies.push(`the success of try ${id} was taken and is not there`);
            await finishRuns(rigs);
          }
          if (successes + losses !== 50 * (isShort ? 3 : 20)) lies.push(`${successes} successes and ${losses} losses`);
          // A race that the same side always wins would prove nothing.
          return {
            fired: Math.min(successes, losses),
            note: `${successes} successes, ${losses} losses`,
            faults: [{ invariant: "I4" as const, faults: lies }],
          };
        },
        { isSteered: true, lossReasons: [/^WorkerLostError/] },
      ),
  },
  {
    number: 9,
    name: "double-reap",
    injects: "three schedulers find the same dead tries at once",
    invariants: ["I4"],
    short: true,
    run: ({ isShort }) =>
      onRigs(
        silentTries(20),
        async (rigs) => {
          const owner = await rigs.rig({ work: () => null });
          const all = [owner, await rigs.rig(), await rigs.rig()];
          const wrong: string[] = [];
          let fired = 0;
          for (let round = 0; round < (isShort ? 2 : 15); round++) {
            const ids = await startAll(rigs, owner);
            await rigs.database.store.query(
              "update task_instance set last_heartbeat_at = now() - interval '1 hour' where state = 'running'",
            );
            const counts = await Promise.all(
              all.map((rig) => failSilentTries(rig.resources, { ...rig.options, silentTrySec: 300 })),
            );
            const reaped = counts.reduce((sum, n) => sum + n, 0);
            fired += reaped;
            if (reaped !== ids.length) wrong.push(`${reaped} verdicts for ${ids.length} dead tries`);
            const { rows } = await rigs.database.store.query<{ id: string; n: number }>(
              `select data #>> '{ti,id}' as id, count(*)::int as n from callback_request where data ->> 'callback' = 'onRetry' group by 1 having count(*) <> 1`,
            );
            for (const { id, n } of rows) wrong.push(`${n} callbacks are owed for try ${id}`);
            await finishRuns(rigs);
          }
          const { rows } = await rigs.database.store.query<{ n: number }>("select count(*)::int as n from callback_request");
          if (rows[0]?.n !== fired) wrong.push(`${rows[0]?.n} callbacks for ${fired} dead tries`);
          return { fired, faults: [{ invariant: "I4" as const, faults: wrong }] };
        },
        { isSteered: true, lossReasons: [/^WorkerLostError/] },
      ),
  },
  {
    number: 20,
    name: "statement-failpoints",
    injects: "each statement of a standard run fails once, with 40P01, 40001, 57014, 53300, 08006, or with its answer lost",
    invariants: ["I1", "I2", "I3", "I4", "I5"],
    short: true,
    timeoutSec: 240,
    run: ({ random, isShort }) =>
      onRigs(small(random), async (rigs) => {
        const rig = await rigs.rig();
        const failing = failStatements(rig.store);
        const play = async (n: number, fault: StatementFault) => {
          for (const { dagId } of rigs.dags) await rigs.trigger(dagId);
          failing.arm(n, fault);
          await rigs.untilDone([rig]);
          return failing.failed();
        };
        await play(0, "lost");
        const statements = failing.count();
        const hit = new Set<string>();
        let fired = 0;
        for (const fault of STATEMENT_FAULTS)
          for (let n = 1; n <= statements; n++) {
            if (isShort && !random.chance(0.06)) continue;
            const statement = await play(n, fault);
            if (statement === null) continue;
            hit.add(statement);
            fired++;
          }
        const surfaced = rigs.caught.filter(
          (message) => !/57014|Connection terminated|database at .* cannot be reached/.test(message),
        );
        return {
          fired,
          note: `${statements} statements in a run, ${hit.size} kinds, ${rigs.caught.length} passes made again`,
          faults: [{ invariant: "I13" as const, faults: [...new Set(surfaced)].map((message) => `surfaced: ${message}`) }],
        };
      }),
  },
];

function small(random: Random): Workload {
  return { pools: [], dags: [fanOut("fan", 3, random), chainOf("chain", 2, random), failing("failing", random)] };
}

/** Tasks that start and never end by themselves. */
function silentTries(count: number): Workload {
  const tasks = Array.from({ length: count }, (_, at) => ({
    taskId: `t${at}`,
    upstream: [],
    retries: 3,
    failTries: 0,
    durationMs: 0,
    callbacks: { onRetry: true },
  }));
  return { pools: [], dags: [{ dagId: "silent", schedule: null, maxActiveTasks: 1_000, maxActiveRuns: 16, tasks }] };
}

/** A run whose tasks are all running; returns their ids. */
async function startAll(rigs: Rigs, owner: Rig): Promise<string[]> {
  const runId = await rigs.trigger("silent");
  await owner.drain();
  const { rows } = await rigs.database.store.query<{ id: string }>(
    "select id from task_instance where run_id = $1 and state = 'running'",
    [runId],
  );
  return rows.map((row) => row.id);
}

/** Ends open instances by hand, as a person would. */
async function finishRuns(rigs: Rigs): Promise<void> {
  const { rows } = await rigs.database.store.query<{ run: string }>("select run_id as run from dag_run where state = 'running'");
  for (const { run } of rows) await markRun(rigs.database.store, createDagCache(), "silent", run, "success", { user: "ada" });
}

async function countCreation(rig: Rig): Promise<number> {
  const before = rig.store.statementCount();
  await rig.pass();
  await rig.executor.settled();
  return rig.store.statementCount() - before;
}

/** Waits until the server has noticed that the dead scheduler's connections are closed. */
async function untilNoticed(rigs: Rigs): Promise<void> {
  const open = "select 1 from pg_stat_activity where datname = current_database() and state like 'idle in transaction%'";
  for (let turn = 0; turn < 200 && (await rigs.database.store.query(open)).rows.length > 0; turn++) await sleep(5);
}
