import { readFileSync, writeFileSync } from "node:fs";
import pg from "pg";
import { afterEach, beforeEach, expect, test } from "vitest";
import { failStatements } from "../../tests/chaos/fail-statements.ts";
import { createTestDatabase, type TestDatabase } from "../../tests/support/database.ts";
import { createGate } from "../../tests/support/scheduler-rig.ts";
import { silentLogger } from "../platform/index.ts";
import { type Db, guardedStatement, inSavepoint, type Listener, openStore, type Store } from "./index.ts";

let database: TestDatabase;
let store: Store;
const listeners: Listener[] = [];
beforeEach(async () => {
  database = await createTestDatabase();
  store = database.open();
  await store.query("create table thing (id int primary key, n int not null)");
  await store.query("insert into thing values (1, 0), (2, 0)");
});
afterEach(async () => {
  await Promise.all(listeners.splice(0).map((one) => one.close()));
  await database.drop();
});

const values = async () => (await store.query<{ n: number }>("select n from thing order by id")).rows.map((row) => row.n);
const backendOf = async (tx: Db) => (await tx.query<{ pid: number }>("select pg_backend_pid() as pid")).rows[0]?.pid ?? 0;
const terminate = (pid: number) => database.store.query("select pg_terminate_backend($1, 5000)", [pid]);
const idleInPool = () => store.pool.idleCount === store.pool.totalCount && store.pool.waitingCount === 0;

test("two transactions that deadlock are run again and both stand", async () => {
  const other = database.open();
  const gates = [createGate(), createGate()] as const;
  let attempts = 0;
  const addIn = (db: Store, order: readonly [number, number], gate: (typeof gates)[0]) => {
    let isFirst = true;
    return db.transaction(async (tx) => {
      attempts++;
      await tx.query("update thing set n = n + 1 where id = $1", [order[0]]);
      if (isFirst) {
        isFirst = false;
        await gate.pass();
      }
      await tx.query("update thing set n = n + 1 where id = $1", [order[1]]);
    });
  };
  const both = Promise.all([addIn(store, [1, 2], gates[0]), addIn(other, [2, 1], gates[1])]);
  // Each has its first row before either asks for its second.
  await Promise.all(gates.map((gate) => gate.entered));
  for (const gate of gates) gate.open();
  await both;
  expect(attempts, "there was no deadlock").toBeGreaterThan(2);
  expect(await values()).toEqual([2, 2]);
});

test("serialization failures are run again until they pass", async () => {
  const other = database.open();
  let attempts = 0;
  const add = (db: Store) =>
    db.transaction(async (tx) => {
      attempts++;
      await tx.query("set transaction isolation level serializable");
      const n = (await tx.query<{ n: number }>("select n from thing where id = 1")).rows[0]?.n ?? 0;
      await tx.query("update thing set n = $1 where id = 1", [n + 1]);
    });
  await Promise.all(Array.from({ length: 12 }, (_, at) => add(at % 2 === 0 ? store : other)));
  expect((await values())[0]).toBe(12);
  expect(attempts).toBeGreaterThan(12);
});

test("a backend that is terminated in the middle: the transaction runs again from its start and counts once", async () => {
  let attempts = 0;
  await store.transaction(async (tx) => {
    attempts++;
    await tx.query("update thing set n = n + 1 where id = 1");
    if (attempts === 1) await terminate(await backendOf(tx));
    await tx.query("update thing set n = n + 1 where id = 2");
  });
  expect(attempts).toBe(2);
  expect(await values()).toEqual([1, 1]);
  await expect.poll(idleInPool).toBe(true);
});

test("a backend that is terminated before its COMMIT: the transaction runs again and counts once", async () => {
  let attempts = 0;
  await store.transaction(async (tx) => {
    attempts++;
    await tx.query("update thing set n = n + 1 where id = 1");
    if (attempts === 1) await terminate(await backendOf(tx));
  });
  expect(attempts).toBe(2);
  expect(await values()).toEqual([1, 0]);
});

test("a transaction that stands still gives up its locks to others, and runs again when its process goes on", async () => {
  const still = openStore({
    address: database.address,
    poolSize: 1,
    retryWindowMs: 5_000,
    applicationName: "still",
    logger: silentLogger,
    idleTransactionMs: 200,
  });
  const gate = createGate();
  let runs = 0;
  try {
    const held = still.transaction(async (tx) => {
      runs++;
      await tx.query("select pg_advisory_xact_lock(4711)");
      if (runs === 1) await gate.pass();
      await tx.query("update thing set n = n + 1 where id = 1");
    });
    await gate.entered;
    // Without the bound this waits for as long as the other stands still.
    await store.transaction((tx) => tx.query("select pg_advisory_xact_lock(4711)"));
    expect(runs).toBe(1);
    gate.open();
    await held;
    expect(runs).toBe(2);
    expect(await values()).toEqual([1, 0]);
  } finally {
    gate.open();
    await still.close();
  }
});

test("a plain statement outlasts a terminated backend", async () => {
  const pid = await backendOf(store);
  const slow = store.query("select pg_sleep(0.5), 7 as n");
  await expect
    .poll(
      async () => (await database.store.query("select 1 from pg_stat_activity where pid = $1 and state = 'active'", [pid])).rows,
    )
    .toHaveLength(1);
  await terminate(pid);
  expect((await slow).rows[0]).toMatchObject({ n: 7 });
});

test("an error of the work rolls back, comes out as it is, and gives the connection back", async () => {
  for (let at = 0; at < 30; at++) {
    const failing = store.transaction(async (tx) => {
      await tx.query("update thing set n = 99");
      throw new Error("on purpose");
    });
    await expect(failing).rejects.toThrow("on purpose");
    await expect(store.transaction((tx) => tx.query("select * from no_such_table"))).rejects.toMatchObject({ code: "42P01" });
  }
  expect(await values()).toEqual([0, 0]);
  expect(store.pool.totalCount).toBeLessThanOrEqual(8);
  await expect.poll(idleInPool).toBe(true);
});

test("a statement that nobody awaits and that never reaches the server fails its transaction all the same", async () => {
  const unsendable = {
    toPostgres: () => {
      throw new Error("cannot be sent");
    },
  };
  const failing = store.transaction(async (tx) => {
    await tx.query("update thing set n = 99 where id = 1");
    tx.query("update thing set n = 99 where id = $1", [unsendable]).catch(() => {});
  });
  await expect(failing).rejects.toThrow("cannot be sent");
  expect(await values()).toEqual([0, 0]);
});

test("what a savepoint took back does not fail the transaction, statements that nobody awaits among it", async () => {
  await store.transaction(async (tx) => {
    await expect(inSavepoint(tx, () => tx.query("update thing set n = 1 / 0 where id = 1"))).rejects.toThrow("division by zero");
    tx.query("update thing set n = 1 where id = 2");
  });
  expect(await values()).toEqual([0, 1]);
});

test("terminating every backend under load loses nothing and leaks nothing", async () => {
  const work = Array.from({ length: 60 }, () => store.transaction((tx) => tx.query("update thing set n = n + 1 where id = 1")));
  for (let round = 0; round < 3; round++) {
    await database.store.query(
      "select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()",
    );
  }
  await Promise.all(work);
  // A lost answer to COMMIT may count one twice: this work does not guard its writes.
  expect((await values())[0]).toBeGreaterThanOrEqual(60);
  expect(store.pool.totalCount).toBeLessThanOrEqual(8);
  await expect.poll(idleInPool).toBe(true);
});

test("a server that stays away: database_unavailable after the retry window, without the password", async () => {
  const address = { ...database.address, host: "127.0.0.1", port: 1, password: "hunter22" };
  const lost = openStore({ address, poolSize: 1, retryWindowMs: 200, applicationName: "test", logger: silentLogger });
  const error = await lost.query("select 1").catch((fault: Error) => fault);
  expect(error).toMatchObject({ code: "database_unavailable" });
  expect(String(error)).not.toContain("hunter22");
  await lost.close();
});

test("a primary that has become read-only: every connection is dropped, the listening one too, and the new primary is asked", async () => {
  const admin = database.open();
  const setReadOnly = (value: "on" | "off") =>
    admin.query(`alter database ${pg.escapeIdentifier(database.address.database)} set default_transaction_read_only = ${value}`);
  await admin.query("select 1");
  // Sessions keep what they begin with: those of now are the old primary's, those of later the new one's.
  await setReadOnly("on");
  const heard: (string | null)[] = [];
  const demoted = database.open();
  listeners.push(demoted.listen("moved", (payload) => heard.push(payload)));
  await expect.poll(() => heard).toEqual([null]);
  await Promise.all([1, 2, 3].map(() => demoted.query("select pg_sleep(0.05)")));
  expect(demoted.pool.totalCount).toBe(3);
  // One is at work when another finds out, and writes nothing that would tell it.
  const gate = createGate();
  const readAs: unknown[] = [];
  const reading = demoted.transaction(async (tx) => {
    readAs.push((await tx.query("select current_setting('default_transaction_read_only') as ro")).rows[0]?.ro);
    if (readAs.length === 1) await gate.pass();
    await tx.query("select 1");
  });
  await gate.entered;
  await setReadOnly("off");
  await demoted.query("update thing set n = 7 where id = 1");
  gate.open();
  await reading;
  expect(readAs, "read again from the new primary").toEqual(["on", "off"]);
  expect((await values())[0]).toBe(7);
  const { rows } = await demoted.query<{ ro: string }>("select current_setting('default_transaction_read_only') as ro");
  expect(rows).toEqual([{ ro: "off" }]);
  await expect.poll(() => heard, { timeout: 5_000 }).toEqual([null, null]);
  // None of the three is left to read what is old by now.
  const found = await Promise.all(
    [1, 2, 3].map(() => demoted.query("select pg_sleep(0.05), current_setting('default_transaction_read_only') as ro")),
  );
  expect(found.map(({ rows: [row] }) => row?.ro)).toEqual(["off", "off", "off"]);
});

test("a primary that has become read-only under transactions: each runs again and counts once", async () => {
  const admin = database.open();
  const name = pg.escapeIdentifier(database.address.database);
  await admin.query(`alter database ${name} set default_transaction_read_only = on`);
  const demoted = database.open();
  await demoted.query("select 1");
  await admin.query(`alter database ${name} set default_transaction_read_only = off`);
  await Promise.all(
    [1, 2, 3, 4].map(() =>
      demoted.transaction(async (tx) => {
        await tx.query("select n from thing where id = 1");
        await tx.query("update thing set n = n + 1 where id = 1");
      }),
    ),
  );
  expect((await values())[0]).toBe(4);
  await expect.poll(() => demoted.pool.idleCount === demoted.pool.totalCount).toBe(true);
});

test("a login that is refused: at once to a process that was never let in; one that was waits, and goes on when it is let in again", async () => {
  const admin = database.open();
  const role = `guest_${database.address.database}`;
  await admin.query(`create role ${role} login password 'old'`);
  try {
    const told: object[] = [];
    const open = (password: string) =>
      openStore({
        address: { ...database.address, user: role, password },
        poolSize: 1,
        retryWindowMs: 10_000,
        applicationName: "guest",
        logger: { ...silentLogger, warn: (facts) => void told.push(facts) },
      });
    const stranger = open("wrong");
    const began = Date.now();
    await expect(stranger.query("select 1")).rejects.toMatchObject({
      code: "database_unavailable",
      message: expect.stringMatching(/refuses the connection: password authentication failed.*\[database\] url/),
    });
    expect(Date.now() - began).toBeLessThan(5_000);
    await stranger.close();
    const guest = open("old");
    const pid = await backendOf(guest);
    await admin.query(`alter role ${role} password 'new'`);
    await terminate(pid);
    const waiting = guest.query<{ n: number }>("select 1 as n");
    await expect
      .poll(() => told)
      .toMatchObject([{ attempt: 1, error: expect.stringContaining("password authentication failed") }]);
    await admin.query(`alter role ${role} password 'old'`);
    expect((await waiting).rows).toEqual([{ n: 1 }]);
    await guest.close();
  } finally {
    await admin.query(`drop role ${role}`);
  }
});

test.each([
  [
    "no such database",
    { database: "nope" },
    /database "nope" does not exist\. Make it, with `createdb nope`, or correct the name/,
  ],
  ["no such role", { user: "nobody_here" }, /refuses the connection: .*nobody_here/],
])("%s is said with the place and the remedy, and not tried again", async (_, wrong, message) => {
  const store = openStore({
    address: { ...database.address, ...wrong },
    poolSize: 1,
    retryWindowMs: 60_000,
    applicationName: "test",
    logger: silentLogger,
  });
  const error = await store.query("select 1").catch((fault: Error) => fault);
  expect(error).toMatchObject({ code: "database_unavailable", message: expect.stringMatching(message) });
  await store.close();
});

test("a role that the server does not have, or that may not log in, is said with what makes it so", async () => {
  const admin = database.store;
  const { rows } = await admin.query<{ file: string }>("select setting as file from pg_settings where name = 'hba_file'");
  const file = rows[0]?.file ?? "";
  const before = readFileSync(file, "utf8");
  await admin.query("create role no_login_here nologin");
  // With a password the server does not tell a role that is missing from one whose password is wrong.
  writeFileSync(file, `local all ghost_here,no_login_here trust\n${before}`);
  try {
    await admin.query("select pg_reload_conf()");
    const failure = async (user: string) => {
      const address = { ...database.address, user };
      const store = openStore({ address, poolSize: 1, retryWindowMs: 0, applicationName: "test", logger: silentLogger });
      const error = await store.query("select 1").catch((fault: Error) => fault);
      await store.close();
      return (error as Error).message;
    };
    await expect
      .poll(() => failure("ghost_here"))
      .toContain(
        'role "ghost_here" does not exist. Make it, with `createuser ghost_here`, or correct the user in [database] url (BARAM__DATABASE__URL).',
      );
    expect(await failure("no_login_here")).toContain(
      "Allow it, with `alter role no_login_here login`, or correct the user in [database] url (BARAM__DATABASE__URL).",
    );
  } finally {
    writeFileSync(file, before);
    await admin.query("drop role no_login_here");
    await admin.query("select pg_reload_conf()");
  }
});

test("a URL that cannot be read, or that names a file that cannot, is refused without its text", () => {
  const open = (url: string) => () =>
    openStore({ address: { url }, poolSize: 1, retryWindowMs: 0, applicationName: "test", logger: silentLogger });
  const message = expect.not.stringContaining("hunter22");
  expect(open("postgres://u:hunter22@h:port/db")).toThrow(expect.objectContaining({ code: "config_invalid", message }));
  expect(open("postgres://u:hunter22@h/db?sslrootcert=/nowhere/ca.pem")).toThrow(
    "[database] url names the file /nowhere/ca.pem, which cannot be read (ENOENT).",
  );
});

test("listen hears notifications, connects again after its backend is terminated, and says so with null", async () => {
  const heard: (string | null)[] = [];
  listeners.push(store.listen("baram test", (payload) => heard.push(payload)));
  const notify = (payload: string) => database.store.query("select pg_notify('baram test', $1)", [payload]);
  await expect.poll(() => heard).toEqual([null]);
  await notify("one");
  await expect.poll(() => heard).toEqual([null, "one"]);
  await database.store.query(
    `select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and query ilike 'listen%'`,
  );
  await expect.poll(() => heard, { timeout: 5_000 }).toEqual([null, "one", null]);
  await notify("two");
  await expect.poll(() => heard).toEqual([null, "one", null, "two"]);
});

test("a listener that is closed at once, or while it cannot connect, ends", async () => {
  await store.listen("a", () => {}).close();
  const address = { ...database.address, host: "127.0.0.1", port: 1 };
  const lost = openStore({ address, poolSize: 1, retryWindowMs: 0, applicationName: "test", logger: silentLogger });
  await lost.listen("a", () => {}).close();
  await lost.close();
});

test("listeners share one connection; each hears its channel, before and after a reconnect, and no longer when it is closed", async () => {
  const heard: Record<string, (string | null)[]> = { a: [], again: [], b: [] };
  const listen = (name: string, channel: string) => {
    const listener = store.listen(channel, (payload) => heard[name]?.push(payload));
    listeners.push(listener);
    return listener;
  };
  const notify = (channel: string, payload: string) => database.store.query("select pg_notify($1, $2)", [channel, payload]);
  const connections = async () =>
    (
      await database.store.query<{ pid: number }>(
        "select pid from pg_stat_activity where datname = current_database() and query ilike any (array['listen%', 'unlisten%'])",
      )
    ).rows;
  listen("a", "a");
  await expect.poll(() => heard.a).toEqual([null]);
  const [again, b] = [listen("again", "a"), listen("b", "b")];
  await expect.poll(() => [heard.again, heard.b]).toEqual([[null], [null]]);
  await notify("a", "1");
  await notify("b", "2");
  await expect.poll(() => heard).toEqual({ a: [null, "1"], again: [null, "1"], b: [null, "2"] });
  const [first, ...others] = await connections();
  expect(others).toEqual([]);
  await terminate(first?.pid ?? 0);
  await expect
    .poll(() => heard, { timeout: 5_000 })
    .toEqual({ a: [null, "1", null], again: [null, "1", null], b: [null, "2", null] });
  await b.close();
  await again.close();
  await notify("b", "nobody hears it");
  await notify("a", "3");
  await expect.poll(() => heard.a).toEqual([null, "1", null, "3"]);
  expect([heard.again, heard.b]).toEqual([
    [null, "1", null],
    [null, "2", null],
  ]);
  listen("b", "b");
  await expect.poll(() => heard.b).toEqual([null, "2", null, null]);
  await notify("b", "4");
  await expect.poll(() => heard.b).toEqual([null, "2", null, null, "4"]);
});

test("the last listener ends the connection, and the next one makes another", async () => {
  const heard: (string | null)[] = [];
  for (const round of [1, 2]) {
    const listener = store.listen("rounds", (payload) => heard.push(payload));
    await expect.poll(() => heard.length).toBe(round);
    await listener.close();
    const open = () =>
      database.store.query("select 1 from pg_stat_activity where datname = current_database() and query ilike 'listen%'");
    await expect.poll(async () => (await open()).rows).toEqual([]);
  }
});

test("bigint keys come as numbers", async () => {
  expect((await store.query<{ n: number }>("select 9007199254740991::bigint as n")).rows[0]?.n).toBe(9_007_199_254_740_991);
  expect(pg.types.getTypeParser(pg.types.builtins.INT8)("5")).toBe(5);
});

test("statements that are not awaited are carried out in their order, and the commit behind them", async () => {
  await database.store.query("create table ordered (n int primary key)");
  const answers = await database.store.transaction(async (tx) =>
    Array.from({ length: 5 }, (_, n) =>
      tx.query<{ n: number }>("insert into ordered values ($1) returning (select count(*)::int as n from ordered)", [n]),
    ),
  );
  expect((await Promise.all(answers)).map(({ rows }) => rows[0]?.n)).toEqual([0, 1, 2, 3, 4]);
  expect((await database.store.query("select 1 from ordered")).rowCount).toBe(5);
});

test("a statement that nobody awaited and that fails fails the transaction, with its own reason, and nothing stands", async () => {
  await database.store.query("create table half (n int primary key)");
  const twice = database.store.transaction(async (tx) => {
    const first = tx.query("insert into half values (1)");
    const again = tx.query("insert into half values (1)");
    const behind = tx.query("insert into half values (2)");
    for (const one of [first, again, behind]) one.catch(() => {});
    return "done";
  });
  await expect(twice).rejects.toMatchObject({ code: "23505" });
  const awaited = database.store.transaction(async (tx) => {
    tx.query("insert into half values (1), (1)").catch(() => {});
    // Fails for the one before it.
    await tx.query("insert into half values (2)");
  });
  await expect(awaited).rejects.toMatchObject({ code: "23505" });
  const swallowed = database.store.transaction(async (tx) => {
    await tx.query("select 1 / 0").catch(() => {});
    return "done";
  });
  await expect(swallowed).rejects.toMatchObject({ code: "22012" });
  expect((await database.store.query("select 1 from half")).rowCount).toBe(0);
});

test("a guarded statement goes along with begin, and does nothing where begin fails", async () => {
  const add = guardedStatement("add-one", (isInTransaction) => `update thing set n = n + 1 where id = 1 and ${isInTransaction}`);
  const failing = failStatements(store);
  failing.arm(1, "40001");
  const sentWith: number[] = [];
  let attempts = 0;
  await store.transaction(async (tx) => {
    attempts++;
    const before = failing.count();
    const answer = tx.query(add);
    sentWith.push(failing.count() - before);
    await answer;
  });
  expect(failing.failed()).toMatch(/^begin/);
  expect(attempts, "the transaction runs again").toBe(2);
  expect(sentWith, "sent at once, behind begin").toEqual([1, 1]);
  expect(await values(), "counted in the second only").toEqual([1, 0]);
  await store.query(add);
  expect(await values(), "without a transaction").toEqual([1, 0]);
});

test("what is not guarded waits for begin, in its order", async () => {
  const failing = failStatements(store);
  failing.arm(0, "40001");
  await store.transaction(async (tx) => {
    const answers = [tx.query("update thing set n = 5 where id = 1"), tx.query("update thing set n = n * 2 where id = 1")];
    expect(failing.count(), "begin alone").toBe(1);
    await Promise.all(answers);
  });
  expect(await values()).toEqual([10, 0]);
});

test("a deadlock of a statement that nobody awaited runs the transaction again", async () => {
  await database.store.query("create table contended as select 1 as n");
  let runs = 0;
  await database.store.transaction(async (tx) => {
    runs++;
    if (runs === 1) tx.query("do $$ begin raise exception 'on purpose' using errcode = '40P01'; end $$").catch(() => {});
    tx.query("update contended set n = n + 1").catch(() => {});
  });
  expect(runs).toBe(2);
  expect((await database.store.query("select n from contended")).rows).toEqual([{ n: 2 }]);
});
