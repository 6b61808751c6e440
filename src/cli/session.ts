import { type Config, loadConfig, readEncryptionKey } from "../config/index.ts";
import { ensureDefaultPool } from "../main/dag-processor/sql-dag-file-store.ts";
import { openDatabase } from "../main/open-database.ts";
import { createLogger, type Logger, silentLogger, systemUser } from "../platform/index.ts";
import { type AuditEvent, type Cipher, checkMigrated, createCipher, logEvent, migrate, type Store } from "../store/index.ts";
import { ExitCode } from "./exit-codes.ts";
import type { Terminal } from "./terminal.ts";

/** The environment of a command: the configuration and the database. */
export type Session = {
  readonly config: Config;
  readonly store: Store;
  readonly logger: Logger;
  readonly isEmbedded: boolean;
  /** Created on first use: most commands need no key. */
  cipher(): Cipher;
  /** Writes an audit log entry in the name of the system's user. */
  audit(event: AuditEvent): Promise<void>;
};

/** A command runs one statement at a time; a second connection allows a long read during a write. */
const CLI_POOL_SIZE = 2;
/** A user is waiting: long enough for a lost connection, but not for a server that is down. */
const RETRY_WINDOW_MS = 1_000;

/**
 * Opens the database, runs `work` and closes it, even after Ctrl-C. The embedded database is migrated, so that a command works
 * before the first start of a newer Baram; an external database is only checked.
 */
export function withStore<T>(terminal: Terminal, work: (session: Session) => Promise<T>): Promise<T> {
  return withDatabase(terminal, async (session) => {
    if (session.isEmbedded) await prepareSchema(session);
    else await checkMigrated(session.store);
    return work(session);
  });
}

/** Migrates the schema and creates the initial rows; returns the names of the applied migrations. */
export async function prepareSchema({ config, store, logger }: Session): Promise<string[]> {
  const applied = await migrate(store, logger);
  if (applied.length > 0) await ensureDefaultPool(store, config.core.default_pool_task_slot_count);
  return applied;
}

/**
 * Like `withStore`, whatever the state of the schema is, for the `db` commands. `make`: creates the embedded database if it does
 * not exist.
 */
export async function withDatabase<T>(
  terminal: Terminal,
  work: (session: Session) => Promise<T>,
  options: { make?: boolean } = {},
): Promise<T> {
  const { session, close } = await openSession(terminal, loadConfig(), options);
  // Without this, a server that was started for this command would outlive it.
  const onSignal = () => void close().finally(() => process.exit(ExitCode.Interrupted));
  process.once("SIGINT", onSignal);
  process.once("SIGTERM", onSignal);
  try {
    return await work(session);
  } finally {
    process.off("SIGINT", onSignal);
    process.off("SIGTERM", onSignal);
    await close();
  }
}

/** A session that is opened on first use, with the same check as in `withStore`. */
export function createLazySession(terminal: Terminal, config: Config) {
  let opened: ReturnType<typeof openSession> | undefined;
  return {
    async get(): Promise<Session> {
      opened ??= openSession(terminal, config).then(async (one) => {
        await (one.session.isEmbedded ? prepareSchema(one.session) : checkMigrated(one.session.store));
        return one;
      });
      return (await opened).session;
    },
    async close(): Promise<void> {
      await (await opened?.catch(() => undefined))?.close();
    },
  };
}

async function openSession(
  terminal: Terminal,
  config: Config,
  options: { make?: boolean } = {},
): Promise<{ session: Session; close: () => Promise<void> }> {
  const logger = terminal.isVerbose() ? createLogger({ level: "debug", role: "cli" }) : silentLogger;
  const database = await openDatabase(config, logger, options);
  const store = database.open("cli", { poolSize: CLI_POOL_SIZE, retryWindowMs: RETRY_WINDOW_MS });
  let cipher: Cipher | undefined;
  const session: Session = {
    config,
    store,
    logger,
    isEmbedded: database.isEmbedded,
    cipher: () => {
      cipher ??= createCipher(readEncryptionKey(config, { make: database.isEmbedded }));
      return cipher;
    },
    audit: (event) => logEvent(store, { owner: systemUser(), ...event }),
  };
  return { session, close: () => database.close() };
}
