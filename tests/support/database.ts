import { randomBytes } from "node:crypto";
import { inject } from "vitest";
import { silentLogger, sleep } from "../../src/platform/index.ts";
import { openStore, type ServerAddress, type Store } from "../../src/store/index.ts";

export type TestDatabase = {
  store: Store;
  address: ServerAddress;
  /** Another pool on the same database: the view of a second process. */
  open(): Store;
  /** Closes every pool, fails if a connection was leaked, and drops the database. */
  drop(): Promise<void>;
};

/** The server's own workers (autovacuum) come and go, and are nobody's leak. */
const clientsOf = "select query from pg_stat_activity where datname = $1 and backend_type = 'client backend'";

/** A new, migrated database for the test file. */
export async function createTestDatabase(): Promise<TestDatabase> {
  const server = inject("postgres");
  const database = `test_${randomBytes(6).toString("hex")}`;
  const admin = openStore({ address: server, poolSize: 1, retryWindowMs: 0, applicationName: "admin", logger: silentLogger });
  await admin.query(`create database ${database} template baram_template`);
  const address = { ...server, database };
  const stores: Store[] = [];
  const open = () => {
    const store = openStore({ address, poolSize: 8, retryWindowMs: 2_000, applicationName: "test", logger: silentLogger });
    stores.push(store);
    return store;
  };
  return {
    store: open(),
    address,
    open,
    async drop() {
      for (const store of stores) await store.close();
      // A backend ends a moment after its client has disconnected.
      let open: { query: string }[] = [];
      for (let round = 0; round < 50; round++) {
        open = (await admin.query<{ query: string }>(clientsOf, [database])).rows;
        if (open.length === 0) break;
        await sleep(20);
      }
      await admin.query(`drop database ${database} with (force)`);
      await admin.close();
      if (open.length > 0) throw new Error(`the test leaked ${open.length} database connection(s), last at: ${open[0]?.query}`);
    },
  };
}
