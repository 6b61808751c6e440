import { type Logger, toError } from "../../platform/index.ts";

/**
 * A client of AWS that can be made anew, as its credentials are read only once. Requests under way keep the client that they began
 * with, for `destroy()` cuts them off: AWS may have done what they ask, and they would be made again.
 */
export type RenewableClient<Client> = {
  use<Answer>(request: (client: Client) => Promise<Answer>): Promise<Answer>;
  /** Rejects when no other client can be made; the old one stays. */
  renew(): Promise<void>;
  close(): void;
};

type Holder<Client> = { readonly client: Client; requests: number; isOver: boolean };

export async function createRenewableClient<Client extends { destroy(): void }>(
  open: () => Promise<Client>,
): Promise<RenewableClient<Client>> {
  const start = async (): Promise<Holder<Client>> => ({ client: await open(), requests: 0, isOver: false });
  let current = await start();
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
        return await request(one.client);
      } finally {
        one.requests--;
        if (one.isOver) finish(one);
      }
    },
    renew() {
      // Many requests find credentials expired at once.
      renewing ??= start()
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

/** Where no other client can be made, what goes on with the old one tells soon enough. */
export async function tryRenew(one: { renew(): Promise<void> }, logger: Logger): Promise<void> {
  await one
    .renew()
    .catch((error: unknown) => logger.warn({ error: toError(error).message }, "a client of AWS could not be made anew"));
}
