import type { Result, Row, Statement, Store } from "../../src/store/store.ts";
import { Blocked, type MemoryDatabase, type MemoryTransaction, type RowChange } from "./memory-database.ts";
import type { Surroundings } from "./statements.ts";
import type { Actor } from "./turns.ts";

type Hooks = {
  /** Number of commits of all actors so far. */
  commits(): number;
  commit(changes: RowChange[], begunAt: number): void;
  losesAnswer(): boolean;
  /** Ends the history immediately. */
  fail(error: Error): void;
};

/** A fault of the simulator itself: such a history proves nothing. */
export class UnknownStatement extends Error {}

/**
 * An actor's view of the database. Each statement and each commit is a turn: before it, other actors may move, or this one may
 * die.
 */
export function storeFor(actor: Actor, database: MemoryDatabase, env: Surroundings, hooks: Hooks): Store {
  async function send<R extends Row>(
    tx: MemoryTransaction,
    statement: Statement | string,
    values: readonly unknown[] = [],
  ): Promise<Result<R>> {
    const name = typeof statement === "string" ? statement : statement.name;
    const body = env.statements[name];
    if (body === undefined) {
      hooks.fail(
        new UnknownStatement(
          `the simulator does not know the statement "${name}": give it a stand-in in tests/simulator/statements.ts`,
        ),
      );
      // Never answered: the scheduler would treat an error as one of the database, and retry for ever.
      return new Promise<never>(() => {});
    }
    await actor.turn();
    for (;;) {
      try {
        const rows = tx.run((rows) => body(rows, values, env)) as R[];
        return { rows, rowCount: rows.length };
      } catch (error) {
        if (!(error instanceof Blocked)) throw error;
        await actor.waitForLock(error.lock);
      }
    }
  }

  async function transaction<T>(work: (tx: { query: Store["query"] }) => Promise<T>): Promise<T> {
    for (;;) {
      const tx = database.begin();
      const begunAt = hooks.commits();
      const giveBack = () => tx.rollback();
      actor.onDeath.add(giveBack);
      try {
        // Statements that are not awaited are executed in order, and none is dropped.
        let last: Promise<unknown> = Promise.resolve();
        const query: Store["query"] = (statement, values) => {
          const answer = last.then(() => send(tx, statement, values));
          last = answer;
          answer.catch(() => {});
          return answer as ReturnType<typeof send<never>>;
        };
        const result = await work({ query });
        await last;
        await actor.turn();
        hooks.commit(tx.commit(), begunAt);
        // The connection broke during COMMIT: its result is unknown, and the transaction is repeated.
        if (!hooks.losesAnswer()) return result;
      } finally {
        tx.rollback();
        actor.onDeath.delete(giveBack);
      }
    }
  }

  const unused = () => {
    throw new Error("not in the simulator");
  };
  return {
    query: (statement, values) => transaction((tx) => tx.query(statement, values)),
    transaction,
    listen: unused,
    close: async () => {},
    statementCount: () => 0,
    get pool(): never {
      return unused();
    },
  };
}
