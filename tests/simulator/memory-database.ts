/**
 * Tables in memory with those parts of PostgreSQL's READ COMMITTED that the scheduler relies on: a statement sees the data that
 * was committed when it began, and the writes of its own transaction. Written rows are locked until the transaction ends. A
 * statement that meets a locked row waits and starts again; SKIP LOCKED skips the row. A rollback undoes everything.
 */
import type { TableName, Tables } from "./rows.ts";

type Cell = { table: TableName; row: Tables[TableName] | null };

export type RowChange = {
  [T in TableName]: { table: T; before: Tables[T] | null; after: Tables[T] | null };
}[TableName];

/** Thrown by a statement that must wait for another transaction; it has had no effect then. */
export class Blocked extends Error {
  readonly lock: string;

  constructor(lock: string) {
    super(`waits for ${lock}`);
    this.lock = lock;
  }
}

export type MemoryTx = {
  all<T extends TableName>(table: T): Tables[T][];
  find<T extends TableName>(table: T, key: string | number): Tables[T] | undefined;
  /** Writes a row, null = deletes it. Locks it. */
  put<T extends TableName>(table: T, key: string | number, row: Tables[T] | null): void;
  /** Locks a row, or waits. */
  lock(lock: string): void;
  /** Locks a row unless another transaction holds it. */
  tryLock(lock: string): boolean;
  nextNumber(): number;
};

export type MemoryTransaction = {
  /** Throws `Blocked`. */
  run<T>(statement: (tx: MemoryTx) => T): T;
  commit(): RowChange[];
  rollback(): void;
};

export type MemoryDatabase = {
  begin(): MemoryTransaction;
  /** Whether a transaction that waits for this lock can continue. */
  isFree(lock: string): boolean;
  rows<T extends TableName>(table: T): Tables[T][];
};

export function createMemoryDatabase(): MemoryDatabase {
  const committed = new Map<string, Cell>();
  const locks = new Map<string, object>();
  let numbers = 0;
  const keyOf = (table: TableName, key: string | number) => `${table}:${key}`;

  function begin(): MemoryTransaction {
    const owner = {};
    let written = new Map<string, Cell>();
    const isTaken = (lock: string) => locks.has(lock) && locks.get(lock) !== owner;
    const release = () => {
      for (const [lock, by] of locks) if (by === owner) locks.delete(lock);
      written = new Map();
    };
    return {
      run(statement) {
        const staged = new Map<string, Cell>();
        const see = (key: string) => staged.get(key) ?? written.get(key) ?? committed.get(key);
        const tx: MemoryTx = {
          all<T extends TableName>(table: T) {
            const keys = new Set([...committed.keys(), ...written.keys(), ...staged.keys()]);
            const rows: Tables[T][] = [];
            for (const key of keys) {
              const cell = key.startsWith(table) ? see(key) : undefined;
              if (cell?.row) rows.push(cell.row as Tables[T]);
            }
            return rows;
          },
          find: <T extends TableName>(table: T, key: string | number) =>
            (see(keyOf(table, key))?.row ?? undefined) as Tables[T] | undefined,
          put(table, key, row) {
            tx.lock(keyOf(table, key));
            staged.set(keyOf(table, key), { table, row });
          },
          lock(lock) {
            if (isTaken(lock)) throw new Blocked(lock);
            locks.set(lock, owner);
          },
          tryLock(lock) {
            if (isTaken(lock)) return false;
            locks.set(lock, owner);
            return true;
          },
          nextNumber: () => ++numbers,
        };
        const result = statement(tx);
        for (const [key, cell] of staged) written.set(key, cell);
        return result;
      },
      commit() {
        const changes: RowChange[] = [];
        for (const [key, cell] of written) {
          changes.push({ table: cell.table, before: committed.get(key)?.row ?? null, after: cell.row } as RowChange);
          if (cell.row) committed.set(key, cell);
          else committed.delete(key);
        }
        release();
        return changes;
      },
      rollback: release,
    };
  }

  return {
    begin,
    isFree: (lock) => !locks.has(lock),
    rows: <T extends TableName>(table: T) =>
      [...committed.values()].filter((cell) => cell.table === table).map((cell) => cell.row as Tables[T]),
  };
}
