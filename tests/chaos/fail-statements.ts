import type { Store } from "../../src/store/index.ts";

/**
 * "lost": the statement is executed, and the connection breaks before its answer. Otherwise the SQLSTATE with which it is
 * refused.
 */
export type StatementFault = "lost" | "40P01" | "40001" | "57014" | "53300" | "08006";
export const STATEMENT_FAULTS: readonly StatementFault[] = ["lost", "40P01", "40001", "57014", "53300", "08006"];

export type FailingStore = {
  /** Number of statements since `arm`. */
  readonly count: () => number;
  /** The statement that failed, or null. */
  readonly failed: () => string | null;
  /**
   * Makes the nth statement from now on fail, once; n = 0: none. `crash`: from then on the process counts as dead and sends no
   * more statements.
   */
  arm(n: number, fault: StatementFault, crash?: boolean): void;
};

type Query = { text?: string; name?: string } | string;
type Callback = (error: Error | null, result?: unknown) => void;
type Client = {
  query(query: Query, values?: unknown, callback?: Callback): Promise<unknown> | undefined;
  connection: { stream: { destroy(): void } };
};
type Connect = { (): Promise<Client>; (callback: (error: Error | null, client?: Client, release?: unknown) => void): void };

/** Intercepts the statements between a store and its connections. */
export function failStatements(store: Store): FailingStore {
  let count = 0;
  let armedAt = 0;
  let fault: StatementFault = "40001";
  let failed: string | null = null;
  let isCrash = false;
  const known = new WeakSet<Client>();
  const pool = store.pool as unknown as { connect: Connect };
  const connect = pool.connect.bind(pool) as Connect;

  pool.connect = ((callback?: (error: Error | null, client?: Client, release?: unknown) => void) => {
    if (!callback) return connect().then(wrap);
    connect((error, client, release) => callback(error, client && wrap(client), release));
  }) as Connect;

  function wrap(client: Client): Client {
    if (known.has(client)) return client;
    known.add(client);
    const send = client.query.bind(client);
    client.query = (query, values, callback) => {
      count++;
      const isHit = armedAt !== 0 && count === armedAt;
      if (isHit) failed = typeof query === "string" ? query : (query.name ?? query.text ?? "");
      const isDead = isCrash && armedAt !== 0 && count > armedAt;
      if (!isHit && !isDead) return callback ? send(query, values, callback) : send(query, values);
      const outcome = isDead
        ? Promise.reject(new Error("on purpose: dead"))
        : isCrash
          ? carryOutAndBreak(client, () => send(query, values), "on purpose: dead")
          : fault === "lost"
            ? carryOutAndBreak(client, () => send(query, values), "Connection terminated unexpectedly")
            : Promise.reject(refusal(fault));
      if (!callback) return outcome;
      outcome.catch((error: Error) => callback(error));
      return undefined;
    };
    return client;
  }

  return {
    count: () => count,
    failed: () => failed,
    arm(n, which, crash = false) {
      count = 0;
      armedAt = n;
      fault = which;
      isCrash = crash;
      failed = null;
    },
  };
}

async function carryOutAndBreak(client: Client, send: () => Promise<unknown> | undefined, message: string): Promise<never> {
  await send();
  client.connection.stream.destroy();
  throw new Error(message);
}

function refusal(code: string): Error {
  return Object.assign(new Error(`on purpose: ${code}`), { code });
}
