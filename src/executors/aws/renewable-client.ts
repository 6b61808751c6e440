/**
 * A client of AWS that can be made anew, as its credentials are read only once. Requests under way keep the client that they began
 * with, for `destroy()` cuts them off: AWS may have done what they ask, and they would be made again.
 */
export type RenewableClient<Client> = {
  use<Answer>(request: (client: Client) => Promise<Answer>): Promise<Answer>;
  renew(): void;
  close(): void;
};

export function createRenewableClient<Client extends { destroy(): void }>(open: () => Client): RenewableClient<Client> {
  const start = () => ({ client: open(), requests: 0, isOver: false });
  let current = start();
  const finish = (one: typeof current) => {
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
      const old = current;
      current = start();
      finish(old);
    },
    close: () => current.client.destroy(),
  };
}
