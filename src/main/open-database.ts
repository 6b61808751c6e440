import { randomBytes } from "node:crypto";
import { type Config, readOrMake } from "../config/index.ts";
import { BaramError, type Logger } from "../platform/index.ts";
import {
  createOutageWatch,
  type EmbeddedServer,
  hasEmbeddedDatabase,
  openStore,
  type ServerAddress,
  type Store,
  startEmbeddedServer,
} from "../store/index.ts";
import type { Patience } from "./patience.ts";

/** `statementTimeoutMs`: time limit of one statement; none if left out. */
type OpenOptions = { poolSize?: number; retryWindowMs?: number; statementTimeoutMs?: number };

export type Database = {
  readonly isEmbedded: boolean;
  readonly server: EmbeddedServer | null;
  /** A connection pool for one role. `retryWindowMs`: how long a lost connection is retried once the role has started. */
  open(role: string, options?: OpenOptions): Store;
  /** Closes every pool, and the embedded server if this process started it. */
  close(): Promise<void>;
};

/** Long enough for a restart or failover of PostgreSQL: roles wait for it instead of exiting. */
export const ROLE_RETRY_WINDOW_MS = 10 * 60_000;
/** Requests to the API server must not hang for minutes when the database is away or hangs. */
export function apiStoreOptions(config: Config): OpenOptions {
  return { retryWindowMs: 5_000, statementTimeoutMs: config.api.database_timeout * 1_000 };
}
const EMBEDDED_DATABASE = "baram";

/**
 * Connects to [database] url, or starts the embedded PostgreSQL of BARAM_HOME (joins it if it is running). `takeOver`: stop a
 * joined server with this process. `patience`: for a role; a command retries as long as its store does. `make`: create the embedded
 * database if there is none; otherwise throws `database_missing`, since a mistyped BARAM_HOME would get an empty one.
 */
export async function openDatabase(
  config: Config,
  logger: Logger,
  { takeOver = false, make = false, patience }: { takeOver?: boolean; make?: boolean; patience?: Patience } = {},
): Promise<Database> {
  if (config.database.url === null && !make && !hasEmbeddedDatabase(config.home)) throw noDatabase(config.home);
  const stores: Store[] = [];
  const server = config.database.url === null ? await startServer(config, logger, takeOver) : null;
  const address: ServerAddress | { url: string } = server
    ? { ...server.address, database: EMBEDDED_DATABASE }
    : { url: config.database.url ?? "" };
  const outage = createOutageWatch(logger);
  return {
    isEmbedded: server !== null,
    server,
    open(role, { poolSize = config.database.pool_size, retryWindowMs = 5_000, statementTimeoutMs } = {}) {
      const store = openStore({
        address,
        poolSize,
        retryWindowMs: patience?.windowMs(retryWindowMs) ?? retryWindowMs,
        outage,
        statementTimeoutMs,
        applicationName: `baram ${role}`,
        logger,
      });
      stores.push(store);
      return store;
    },
    async close() {
      await Promise.all(stores.map((store) => store.close()));
      await server?.stop();
    },
  };
}

function noDatabase(home: string): BaramError {
  return new BaramError(
    "database_missing",
    `There is no database in BARAM_HOME ${home}. If Baram's home is elsewhere, set BARAM_HOME to it, or BARAM__DATABASE__URL to its PostgreSQL; if this is to be a new one, make it with "baram standalone" or "baram db migrate".`,
    { home },
  );
}

async function startServer(config: Config, logger: Logger, takeOver: boolean): Promise<EmbeddedServer> {
  const password = readOrMake(config.home, "postgres_password", () => randomBytes(18).toString("base64url"));
  const server = await startEmbeddedServer({ home: config.home, password, logger, takeOver });
  const admin = openStore({
    address: server.address,
    poolSize: 1,
    retryWindowMs: 10_000,
    applicationName: "baram setup",
    logger,
  });
  try {
    const { rows } = await admin.query("select 1 from pg_database where datname = $1", [EMBEDDED_DATABASE]);
    if (rows.length === 0) await admin.query(`create database ${EMBEDDED_DATABASE}`);
  } finally {
    await admin.close();
  }
  return server;
}
