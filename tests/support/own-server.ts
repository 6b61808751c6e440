import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { silentLogger } from "../../src/platform/index.ts";
import { type EmbeddedServer, migrate, openStore, type Store, startEmbeddedServer } from "../../src/store/index.ts";
import type { TestDatabase } from "./database.ts";

export type OwnServer = TestDatabase & {
  readonly server: EmbeddedServer;
  /** Shuts the server down, runs `work` while it is down, and starts it again. */
  awayWhile(work: () => Promise<void>): Promise<void>;
};

/**
 * A PostgreSQL for the test, with full durability, that the test may kill; its watchdog starts it again. `extra` are additional
 * `name=value` settings.
 */
export async function startOwnServer(extra: readonly string[] = []): Promise<OwnServer> {
  const home = mkdtempSync(join(tmpdir(), "baram-server-"));
  const settings = ["max_connections=100", ...extra];
  const launch = () => startEmbeddedServer({ home, password: "test", logger: silentLogger, takeOver: true, settings });
  let server = await launch();
  const stores: Store[] = [];
  const open = () => {
    const store = openStore({
      address: server.address,
      poolSize: 8,
      retryWindowMs: 60_000,
      applicationName: "test",
      logger: silentLogger,
    });
    stores.push(store);
    return store;
  };
  const store = open();
  await migrate(store, silentLogger);
  return {
    get server() {
      return server;
    },
    async awayWhile(work) {
      await server.stop();
      await work();
      server = await launch();
    },
    address: server.address,
    store,
    open,
    async drop() {
      // If root runs the test, the data folder is outside of BARAM_HOME, where the server's account can access it.
      const { rows } = await store
        .query<{ data: string }>("select current_setting('data_directory') as data")
        .catch(() => ({ rows: [] }));
      for (const one of stores) await one.close();
      await server.stop();
      rmSync(home, { recursive: true, force: true });
      for (const { data } of rows) rmSync(dirname(data), { recursive: true, force: true });
    },
  };
}

/** As [database] url. */
export function urlOf({ user, password, database, host }: OwnServer["address"]): string {
  return `postgres://${user}:${password}@/${database}?host=${encodeURIComponent(host)}&port=5432`;
}
