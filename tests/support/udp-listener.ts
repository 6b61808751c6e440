import { createSocket } from "node:dgram";

/** A statsd server for the test: real datagrams, their lines in order. */
export async function listenUdp() {
  const socket = createSocket("udp4");
  const lines: string[] = [];
  socket.on("message", (message) =>
    lines.push(
      ...message
        .toString("utf8")
        .split("\n")
        .filter((line) => line !== ""),
    ),
  );
  await new Promise<void>((resolve) => socket.bind(0, "127.0.0.1", resolve));
  return {
    port: socket.address().port,
    lines,
    close: () => new Promise<void>((resolve) => socket.close(() => resolve())),
  };
}
