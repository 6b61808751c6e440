import { mkdtempSync, rmSync } from "node:fs";
import { connect, createServer, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { ServerAddress } from "../../src/store/index.ts";

/**
 * A proxy in front of a test's PostgreSQL that can be frozen: connections stay open and new ones are accepted, but no byte is
 * transferred, as with a server whose machine or disk hangs.
 */
export async function createFreezableServer(address: ServerAddress) {
  const folder = mkdtempSync(join(tmpdir(), "baram-freeze-"));
  const sockets = new Set<Socket>();
  let isFrozen = false;
  const server = createServer((outer) => {
    const inner = connect(join(address.host, `.s.PGSQL.${address.port}`));
    for (const [from, to] of [
      [outer, inner],
      [inner, outer],
    ] as const) {
      sockets.add(from);
      from.pipe(to);
      from.on("error", () => to.destroy());
      from.on("close", () => {
        sockets.delete(from);
        to.destroy();
      });
      if (isFrozen) freezeOne(from);
    }
  });
  const freezeOne = (socket: Socket) => {
    socket.unpipe();
    socket.pause();
  };
  await new Promise<void>((resolve) => server.listen(join(folder, `.s.PGSQL.${address.port}`), resolve));
  return {
    address: { ...address, host: folder },
    /** Returns the number of frozen connections. */
    freeze(): number {
      isFrozen = true;
      for (const socket of sockets) freezeOne(socket);
      return sockets.size / 2;
    },
    async close() {
      for (const socket of sockets) socket.destroy();
      await new Promise<void>((resolve) => server.close(() => resolve()));
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
