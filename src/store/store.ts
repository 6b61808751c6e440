import pg from "pg";
import { BaramError, type Logger, sleep } from "../platform/index.ts";
import { reasonOf, targetOf, unavailable } from "./database-faults.ts";
import type { ServerAddress } from "./embedded/index.ts";
import {
  isConnectionLost,
  isLoginRefused,
  isOfFailedTransaction,
  isReadOnlyServer,
  isRetryable,
  isTimedOut,
  isUnanswered,
} from "./faults.ts";
import { createListening, type Listener } from "./listening.ts";
import { createOutageWatch, type OutageWatch } from "./outage.ts";

// bigint columns are identities of ours: far below 2^53, and numbers are what JSON answers carry.
pg.types.setTypeParser(pg.types.builtins.INT8, (text) => Number(text));
// Otherwise the driver writes a Date in this process's time zone with an offset in whole minutes, which is wrong by seconds for
// zones with other offsets: Amsterdam's was +0:19:32 until 1937.
pg.defaults.parseInputDatesAsUTC = true;

/** A statement with `$1` parameters. A `name` makes it a prepared statement, parsed once per connection. */
export type Statement = { readonly name: string; readonly text: string; readonly isGuarded?: boolean };

/**
 * A statement that may be pipelined with the `begin` of its transaction, which saves a round trip. `text` is given a condition that is true
 * inside a transaction; with it the statement must do nothing outside of one, since a statement pipelined with a failed BEGIN runs in autocommit.
 */
export function guardedStatement(name: string, text: (isInTransaction: string) => string): Statement {
  return { name, text: text("current_setting('baram.in_transaction', true) = 'on'"), isGuarded: true };
}

export type Row = Record<string, unknown>;
export type Result<R> = { rows: R[]; rowCount: number };

/** What a query function needs: the store itself, or a transaction. */
export type Db = {
  query<R extends Row = Row>(statement: Statement | string, values?: readonly unknown[]): Promise<Result<R>>;
};

export type Store = Db & {
  /**
   * Runs `work` in one transaction. Deadlocks, serialization failures and lost connections run it again, so `work` must
   * have no effect outside the database and must guard its writes: after a connection lost at COMMIT the first run may stand.
   *
   * A statement that is not awaited is pipelined with the next ones, the commit included, in one round trip; the server runs
   * them in order. If one fails, the transaction fails. The first one is pipelined with `begin` if it is guarded.
   */
  transaction<T>(work: (tx: Db) => Promise<T>): Promise<T>;
  /** Calls back on every notification and, with null, after each reconnect, since notifications may have been missed. One connection serves all. */
  listen(channel: string, onNotify: (payload: string | null) => void): Listener;
  readonly pool: pg.Pool;
  close(): Promise<void>;
  /** Statements sent so far: the bench and the regression test of statements per task read it. */
  readonly statementCount: () => number;
};

export type StoreOptions = {
  address: ServerAddress | { url: string };
  poolSize: number;
  /**
   * How long a lost connection is retried before the error is thrown, in milliseconds since the statement began. A function is
   * called at each failure with that time and the start of the outage, since a process may change how long it waits.
   */
  retryWindowMs: number | ((sinceMs: number, awaySinceMs: number) => number);
  /** Shared by the stores of a process, so that an outage is told once. Default: one of its own. */
  outage?: OutageWatch;
  /**
   * Time limit of a statement in milliseconds, after which it fails with `database_timeout`: the server cancels it; if no answer
   * arrives even then, the connection is closed. No limit if left out.
   */
  statementTimeoutMs?: number;
  applicationName: string;
  logger: Logger;
  /** How long the server lets a transaction of ours stand idle, in milliseconds. Default 5 s. */
  idleTransactionMs?: number;
};

/**
 * A process that stops in the middle of a transaction (suspended, swapped out, cut off from the network) would keep its locks, the
 * dispatch lock among them. The server ends such a transaction; ours are idle for milliseconds only, and one that is ended is run
 * again.
 */
const IDLE_TRANSACTION_MS = 5_000;

export function openStore(options: StoreOptions): Store {
  const connection = "url" in options.address ? { connectionString: options.address.url } : options.address;
  const settings = { ...connection, application_name: options.applicationName, keepAlive: true, connectionTimeoutMillis: 5_000 };
  const target = targetOf(settings);
  const outage = options.outage ?? createOutageWatch(options.logger);
  const { statementTimeoutMs, retryWindowMs } = options;
  const windowMs = typeof retryWindowMs === "number" ? () => retryWindowMs : retryWindowMs;
  const pool = new pg.Pool({
    ...settings,
    max: options.poolSize,
    // Sends a statement before the previous one is answered, so that one that is not awaited costs no round trip of its own.
    pipeline: true,
    idleTimeoutMillis: 30_000,
    ...(statementTimeoutMs === undefined ? {} : boundedBy(statementTimeoutMs)),
  });
  // An idle connection that breaks is simply replaced; without this line it would end the process.
  pool.on("error", (error) => options.logger.debug({ error: error.message }, "an idle database connection broke"));
  // Between the last byte of the handshake and our await, a new connection has no error listener: if the server closes it in that
  // same read, the process would exit. With a listener, the next use finds the connection broken.
  const connected = new Set<pg.PoolClient>();
  pool.on("connect", (client) => {
    client.on("error", () => {});
    connected.add(client);
  });
  pool.on("remove", (client) => connected.delete(client));
  // Sent in the same message as BEGIN: no extra round trip, and connection poolers pass it on.
  const begin = `begin; set local idle_in_transaction_session_timeout = ${options.idleTransactionMs ?? IDLE_TRANSACTION_MS}; set local baram.in_transaction = 'on'`;
  const listening = createListening(settings, options.logger);
  let closed = false;
  let sent = 0;

  async function retrying<T>(work: () => Promise<T>): Promise<T> {
    const sinceMs = Date.now();
    for (let attempt = 0; ; attempt++) {
      const mark = outage.mark();
      try {
        const result = await work();
        outage.answered(mark);
        return result;
      } catch (error) {
        if (statementTimeoutMs !== undefined && isTimedOut(error)) throw timedOut(error, statementTimeoutMs);
        const isRefused = isLoginRefused(error);
        const isLost = isConnectionLost(error) || (isRefused && outage.hasAnswered());
        const isTriedAgain =
          !closed &&
          (isLost ? Date.now() - sinceMs < windowMs(sinceMs, outage.sinceMs() ?? sinceMs) : isRetryable(error) && attempt < 20);
        // Full jitter keeps processes that failed together from coming back together.
        const pauseMs = Math.random() * Math.min(isLost ? 1_000 : 100, 10 * 2 ** attempt);
        if (isLost && !closed)
          outage.failed({ database: target.shown, error: reasonOf(error), nextTrySec: isTriedAgain ? pauseMs / 1_000 : null });
        if (isReadOnlyServer(error)) dropConnections();
        if (!isTriedAgain) throw isLost || isRefused ? unavailable(error, target) : error;
        await sleep(pauseMs);
      }
    }
  }

  /**
   * All connections of the pool go to a server that is no longer the primary, so all are replaced: the next one resolves the host
   * anew.
   */
  function dropConnections(): void {
    for (const client of connected) (client as unknown as pg.Client).connection.stream.destroy();
    listening.drop();
  }

  const send = <R extends Row>(
    client: pg.Pool | pg.PoolClient,
    statement: Statement | string,
    values?: readonly unknown[],
  ): Promise<Result<R>> => {
    sent++;
    const query = typeof statement === "string" ? { text: statement } : { name: statement.name, text: statement.text };
    return client.query(values === undefined ? query : { ...query, values: [...values] }) as unknown as Promise<Result<R>>;
  };

  return {
    pool,
    statementCount: () => sent,
    query: (statement, values) => retrying(() => send(pool, statement, values)),
    transaction: (work) =>
      retrying(async () => {
        const client = await pool.connect();
        let broken: Error | undefined;
        // Without a listener a backend that dies between two statements would end the process.
        const onError = (error: Error) => (broken = error);
        client.on("error", onError);
        const underWay = new Set<Promise<unknown>>();
        // Statements after a failed one in the transaction fail too, with a generic message; report the first failure.
        let first: unknown;
        const watch = <R extends Row>(answer: Promise<Result<R>>, undoes = false, name?: string): Promise<Result<R>> => {
          underWay.add(answer);
          answer
            .then(
              () => {
                if (undoes) first = undefined;
              },
              (error: unknown) => {
                if (name !== undefined && error instanceof Error) Object.assign(error, { statement: name });
                first ??= error;
              },
            )
            .finally(() => underWay.delete(answer));
          return answer;
        };
        try {
          let hasBegun = false;
          let isFirst = true;
          const begun = watch(send(client, begin)).then(() => {
            hasBegun = true;
          });
          begun.catch(() => {});
          const query = <R extends Row>(statement: Statement | string, values?: readonly unknown[]): Promise<Result<R>> => {
            const goesAlong = isFirst && typeof statement === "object" && statement.isGuarded === true;
            isFirst = false;
            const answer =
              hasBegun || goesAlong ? send<R>(client, statement, values) : begun.then(() => send<R>(client, statement, values));
            const text = typeof statement === "string" ? statement : null;
            return watch(
              answer,
              text?.startsWith("rollback to savepoint"),
              typeof statement === "string" ? undefined : statement.name,
            );
          };
          const result = await work({ query });
          await begun;
          // A statement that cannot even be sent says so by the next tick; the server would commit all the others.
          await new Promise<void>((resolve) => process.nextTick(resolve));
          if (first !== undefined) throw first;
          sent++;
          const [end] = await Promise.all([client.query("commit"), ...underWay]);
          // What the server makes of a commit when a statement has failed.
          if (end.command === "ROLLBACK") throw first ?? new Error("the server has rolled the transaction back");
          return result;
        } catch (thrown) {
          await Promise.allSettled(underWay);
          const error = isOfFailedTransaction(thrown) ? (first ?? thrown) : thrown;
          if (isConnectionLost(error) || isUnanswered(error)) broken = error as Error;
          else await client.query("rollback").catch((failure: Error) => (broken = failure));
          throw error;
        } finally {
          client.off("error", onError);
          client.release(broken);
        }
      }),
    listen: listening.add,
    async close() {
      closed = true;
      await pool.end();
    },
  };
}

/** How much longer than the server's own limit we wait for its answer. */
const ANSWER_MARGIN_MS = 1_000;

function boundedBy(timeoutMs: number): pg.PoolConfig & { onConnect(client: pg.ClientBase): Promise<void> } {
  return {
    query_timeout: timeoutMs + ANSWER_MARGIN_MS,
    // Not as a start-up parameter, which poolers between us and PostgreSQL refuse.
    async onConnect(client) {
      await client.query(`set statement_timeout = ${Math.ceil(timeoutMs)}`);
    },
  };
}

/** Not tried again: a statement that took too long once would only take as long again, while its caller waits. */
function timedOut(cause: unknown, timeoutMs: number): BaramError {
  return new BaramError(
    "database_timeout",
    `The database did not answer within ${timeoutMs / 1_000} s. Try again; if the request needs longer, raise [api] database_timeout.`,
    { timeoutSec: timeoutMs / 1_000 },
    cause,
  );
}
