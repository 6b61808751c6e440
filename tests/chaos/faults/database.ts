/** PostgreSQL is restarted, killed or exhausted, and its sessions are terminated. */
import pg from "pg";
import { sleep } from "../../../src/platform/index.ts";
import type { Store } from "../../../src/store/index.ts";
import { type Blows, type Fault, underLoad, WORKER_LOST } from "../fault.ts";
import type { System } from "../system.ts";

const OURS = "('test', 'chaos hold')";

export const databaseFaults: readonly Fault[] = [
  {
    number: 16,
    name: "postgres-restart",
    injects: "PostgreSQL is shut down, fast or immediate, every 3 to 6 s, and comes back",
    invariants: ["I1", "I2", "I3", "I4", "I5", "I6", "I7", "I12"],
    short: true,
    run: (context) =>
      underLoad(context, { size: context.isShort ? 80 : 300, faultSec: context.isShort ? 6 : 30 }, async (blows) => {
        await blows.system.untilProgress(0.1);
        while (await blows.goesOn()) {
          await loseServer(blows, context.random.chance(0.5) ? "SIGINT" : "SIGQUIT");
          await blows.wait(3_000, 6_000);
        }
      }),
  },
  {
    number: 17,
    name: "postgres-kill",
    injects: "kill -9 of the postmaster, and crash recovery, every 3 to 6 s",
    invariants: ["I3", "I4", "I12"],
    run: (context) =>
      underLoad(context, { size: 300, faultSec: 25 }, async (blows) => {
        await blows.system.untilProgress(0.1);
        while (await blows.goesOn()) {
          await loseServer(blows, "SIGKILL");
          await blows.wait(3_000, 6_000);
        }
      }),
  },
  {
    number: 18,
    name: "backend-terminate-stream",
    injects: "pg_terminate_backend on a random session of the system, five times a second",
    invariants: ["I3", "I4", "I13"],
    run: (context) =>
      underLoad(context, { size: 250, faultSec: 20 }, async ({ system, fire, goesOn, wait }) => {
        while (await goesOn()) {
          const { rows } = await system.store.query<{ pid: number }>(
            `select pid from pg_stat_activity where backend_type = 'client backend' and application_name not in ${OURS} order by pid`,
          );
          if (rows.length > 0) {
            await system.store.query("select pg_terminate_backend($1)", [context.random.pick(rows).pid]);
            fire();
          }
          await wait(200, 200);
        }
      }),
  },
  {
    number: 19,
    name: "connections-exhausted",
    injects: "every connection of the server is taken by somebody else for some seconds; health tells, and the system recovers",
    invariants: ["I3", "I12", "I13"],
    run: async (context) => {
      const silent: string[] = [];
      const report = await underLoad(
        context,
        {
          size: 250,
          faultSec: 20,
          system: { postgresSettings: ["max_connections=60"] },
          // An API server without a connection cannot receive heartbeats, while a scheduler that kept its connection notices the
          // silence.
          expect: { lossReasons: WORKER_LOST, maxConnections: 60 },
        },
        async ({ system, fire, goesOn, wait }) => {
          await system.untilProgress(0.05);
          while (await goesOn()) {
            const told = await starve(system);
            if (told.refused > 0) fire();
            if (!told.unhealthy) silent.push("the health answer called a database healthy to which nobody can connect");
            await wait(2_000, 4_000);
          }
        },
      );
      return { ...report, verdicts: [...report.verdicts, { invariant: "I13", faults: silent }] };
    },
  },
  {
    number: 21,
    name: "deadlock-hunt",
    injects: "four people clear, mark and stop the runs whose tasks workers finish and schedulers evaluate",
    invariants: ["I2", "I3", "I5", "I13"],
    run: async (context) => {
      const failures: string[] = [];
      const report = await underLoad(
        context,
        {
          size: 120,
          faultSec: 20,
          runsOfEach: 3,
          expect: { isSteered: true, lossReasons: [/cleared/, /taken|lost|revoked/i, ...WORKER_LOST] },
        },
        async (blows) => {
          const people = Array.from({ length: 4 }, () => steer(blows, failures));
          await Promise.all(people);
        },
      );
      return { ...report, verdicts: [...report.verdicts, { invariant: "I13", faults: failures }] };
    },
  },
];

async function loseServer({ system, fire }: Blows, signal: NodeJS.Signals): Promise<void> {
  const pid = system.own.server.pid();
  if (pid === null) return;
  process.kill(pid, signal);
  fire();
  const deadline = Date.now() + 30_000;
  while (Date.now() < deadline) {
    const now = system.own.server.pid();
    if (now !== null && now !== pid && (await answers(system.store))) return;
    await sleep(50);
  }
  throw new Error(`PostgreSQL did not come back within 30 s of ${signal}`);
}

async function answers(store: Store): Promise<boolean> {
  return store.query("select 1").then(
    () => true,
    () => false,
  );
}

/** Takes all available connections, including those of the API servers, and checks the health endpoint. */
async function starve(system: System): Promise<{ refused: number; unhealthy: boolean }> {
  const held: pg.Client[] = [];
  let refused = 0;
  const grab = async () => {
    for (;;) {
      const client = new pg.Client({ ...system.own.address, application_name: "chaos hold", connectionTimeoutMillis: 2_000 });
      client.on("error", () => {});
      try {
        await client.connect();
        held.push(client);
      } catch {
        refused++;
        return client.end().catch(() => {});
      }
    }
  };
  try {
    await grab();
    const [holder] = held;
    if (!holder) return { refused: 0, unhealthy: true };
    const ofApi = "backend_type = 'client backend' and application_name = 'baram api-server'";
    for (let turn = 0; turn < 50; turn++) {
      // A terminated client reconnects after a moment; whichever client is faster gets the free connection.
      await holder.query(`select pg_terminate_backend(pid) from pg_stat_activity where ${ofApi}`);
      await Promise.all([grab(), grab()]);
      const isCutOff = async () => (await holder.query(`select 1 from pg_stat_activity where ${ofApi}`)).rowCount === 0;
      if (!(await isCutOff())) continue;
      const health = await system.ask("GET", "/api/v2/monitor/health");
      const told = health?.json as { metadatabase?: { status?: string } } | undefined;
      const unhealthy = told?.metadatabase?.status === "unhealthy";
      // Another role may have freed a connection in between, and the API server got it: then its answer was right.
      if (unhealthy || (await isCutOff())) return { refused, unhealthy };
    }
    return { refused: 0, unhealthy: true };
  } finally {
    await Promise.all(held.map((client) => client.end().catch(() => {})));
  }
}

/** A user of the API: every request is answered, and never with 5xx. */
async function steer({ system, fire, goesOn }: Blows, failures: string[]): Promise<void> {
  const { random } = system;
  while (await goesOn()) {
    const { rows } = await system.store.query<{ dag: string; run: string; task: string }>(
      `select dag_id as dag, run_id as run, task_id as task from task_instance order by md5(id::text || $1) limit 1`,
      [String(random.next())],
    );
    const [one] = rows;
    if (!one) continue;
    const run = `/api/v2/dags/${one.dag}/dagRuns/${one.run}`;
    const asks = [
      () =>
        system.ask("POST", `/api/v2/dags/${one.dag}/clearTaskInstances`, {
          dry_run: false,
          dag_run_id: one.run,
          only_failed: false,
          task_ids: [one.task],
          include_downstream: true,
        }),
      () => system.ask("POST", `${run}/clear`, { dry_run: false, only_failed: false }),
      () => system.ask("PATCH", run, { state: random.pick(["success", "failed"]) }),
      () => system.ask("PATCH", `${run}/taskInstances/${one.task}`, { new_state: random.pick(["success", "failed"]) }),
      () => system.ask("GET", `${run}/taskInstances`),
    ];
    const answer = await random.pick(asks)();
    if (!answer) failures.push(`no answer about ${one.run}`);
    else if (answer.status >= 500) failures.push(`${answer.status}: ${JSON.stringify(answer.json)}`);
    else if (answer.status === 200) fire();
    else if (answer.status === 422 || answer.status === 404 || answer.status === 405)
      failures.push(`the rig asks wrongly: ${JSON.stringify(answer.json)}`);
    await sleep(random.between(5, 60));
  }
}
