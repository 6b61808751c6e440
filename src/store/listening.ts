import pg from "pg";
import { type Logger, sleep } from "../platform/index.ts";

type OnNotify = (payload: string | null) => void;
export type Listener = { close(): Promise<void> };

/** The notifications that a store's users wait for. */
export type Listening = {
  /** Calls back on every notification and, with null, once it is heard and after each reconnect. */
  add(channel: string, onNotify: OnNotify): Listener;
  /** Reconnects, as after a lost connection. */
  drop(): void;
};

/**
 * Listens on one connection, for as long as there is a listener. One for all channels, since PostgreSQL wakes every connection that
 * listens to anything for each notification, and each is a process.
 */
export function createListening(settings: pg.ClientConfig, logger: Logger): Listening {
  const listeners = new Set<{ channel: string; onNotify: OnNotify }>();
  let stop = new AbortController();
  /** The connection at work, once it listens. */
  let current: pg.Client | null = null;
  let loop: Promise<void> = Promise.resolve();

  const command = (what: "listen" | "unlisten", channel: string) => `${what} ${pg.escapeIdentifier(channel)}`;

  async function keepListening(signal: AbortSignal): Promise<void> {
    for (let failures = 0; !signal.aborted; ) {
      const client = new pg.Client(settings);
      const close = () => void client.end().catch(() => {});
      signal.addEventListener("abort", close, { once: true });
      try {
        const ended = new Promise<void>((resolve) => {
          client.once("end", resolve);
          client.on("error", () => resolve());
        });
        client.on("notification", ({ channel, payload }) => {
          for (const one of listeners) if (one.channel === channel) one.onNotify(payload ?? "");
        });
        // If a client is ended while it connects, its connect() never settles; its end event is still emitted.
        await Promise.race([client.connect(), ended]);
        if (signal.aborted) break;
        // From here on, a new listener sends its own LISTEN.
        current = client;
        const heard = [...listeners];
        await client.query(heard.map(({ channel }) => command("listen", channel)).join("; "));
        failures = 0;
        for (const one of heard) if (listeners.has(one)) one.onNotify(null);
        await ended;
      } catch (error) {
        logger.debug({ error: (error as Error).message }, "the listening connection broke");
      } finally {
        signal.removeEventListener("abort", close);
        if (current === client) current = null;
      }
      await client.end().catch(() => {});
      if (!signal.aborted) await sleep(Math.min(2_000, 50 * 2 ** failures++), signal);
    }
  }

  return {
    drop: () => void current?.end().catch(() => {}),
    add(channel, onNotify) {
      const listener = { channel, onNotify };
      listeners.add(listener);
      if (listeners.size === 1) {
        stop = new AbortController();
        const { signal } = stop;
        // After the previous connection, which may still be closing.
        loop = loop.then(() => keepListening(signal));
      } else {
        // Where the connection breaks meanwhile, the next one listens for all.
        current?.query(command("listen", channel)).then(
          () => listeners.has(listener) && onNotify(null),
          () => {},
        );
      }
      return {
        async close() {
          if (!listeners.delete(listener)) return;
          if (listeners.size === 0) {
            stop.abort();
            await loop;
          } else if (![...listeners].some((one) => one.channel === channel)) {
            current?.query(command("unlisten", channel)).catch(() => {});
          }
        },
      };
    },
  };
}
