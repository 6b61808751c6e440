import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { silentLogger } from "../../src/platform/index.ts";
import { type EmbeddedServer, migrate, openStore, type Store, startEmbeddedServer } from "../../src/store/index.ts";
import type { TestDatabase } from "./database.ts";

export type OwnServer = TestDatabase & { server: EmbeddedServer };

/** A PostgreSQL of the test's own, with full durability, that it may kill; it is started again by its watchdog. */
export async function startOwnServer(): Promise<OwnServer> {
  const home = mkdtempSync(join(tmpdir(), "baram-server-"));
  const server = await startEmbeddedServer({
    home,
    password: "test",
    logger: silentLogger,
    takeOver: true,
    settings: ["max_connections=100"],
  });
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
    server,
    address: server.address,
    store,
    open,
    async drop() {
      for (const one of stores) await one.close();
      await server.stop();
      rmSync(home, { recursive: true, force: true });
    },
  };
}

/** As [database] url. */
export function urlOf({ user, password, database, host }: OwnServer["address"]): string {
  return `postgres://${user}:${password}@/${database}?host=${encodeURIComponent(host)}&port=5432`;
}
