import { type Logger, toError } from "../../platform/index.ts";

/**
 * An AWS client that can be recreated, since its credentials are read only once. Requests in flight keep the client that they
 * started with: `destroy()` would abort them, although AWS may have executed them, and they would be repeated.
 *
 * A request whose signature AWS refused because of this machine's clock is repeated once: the SDK has learnt the difference from the
 * answer, and the client keeps it.
 */
export type RenewableClient<Client> = {
  use<Answer>(request: (client: Client) => Promise<Answer>): Promise<Answer>;
  /** Rejects if no new client can be created; the old one stays. */
  renew(): Promise<void>;
  close(): void;
};

type Holder<Client> = { readonly client: Client; requests: number; isOver: boolean };

export async function createRenewableClient<Client extends { destroy(): void }>(
  open: (earlier: Client | null) => Promise<Client>,
): Promise<RenewableClient<Client>> {
  const start = async (earlier: Client | null): Promise<Holder<Client>> => ({
    client: await open(earlier),
    requests: 0,
    isOver: false,
  });
  let current = await start(null);
  let renewing: Promise<void> | null = null;
  let isClosed = false;

  const finish = (one: Holder<Client>) => {
    one.isOver = true;
    if (one.requests === 0) one.client.destroy();
  };

  return {
    async use(request) {
      const one = current;
      one.requests++;
      try {
        return await request(one.client).catch((error: unknown) => {
          if (!isOfClock(error)) throw error;
          return request(one.client);
        });
      } finally {
        one.requests--;
        if (one.isOver) finish(one);
      }
    },
    renew() {
      // Many requests may find expired credentials at once.
      renewing ??= start(current.client)
        .then((fresh) => {
          finish(isClosed ? fresh : current);
          if (!isClosed) current = fresh;
        })
        .finally(() => {
          renewing = null;
        });
      return renewing;
    },
    close() {
      isClosed = true;
      current.client.destroy();
    },
  };
}

/** The SDK marks the error of a request after which it corrected its clock by four minutes or more. */
function isOfClock(error: unknown): boolean {
  return (error as { $metadata?: { clockSkewCorrected?: boolean } } | null)?.$metadata?.clockSkewCorrected === true;
}

/** If no new client can be created, the next requests with the old one will report it. */
export async function tryRenew(one: { renew(): Promise<void> }, logger: Logger): Promise<void> {
  await one
    .renew()
    .catch((error: unknown) => logger.warn({ error: toError(error).message }, "an AWS client could not be recreated"));
}
