import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { expect, test } from "vitest";
import { silentLogger } from "../../platform/index.ts";
import { reportWorker } from "./report-worker.ts";

test.each([
  ["token_expired", 401, "has expired"],
  ["token_missing", 401, "has expired"],
  ["token_invalid", 401, "is none of that API server's"],
  ["token_of_another_worker", 403, 'is for another worker than "w"'],
])(
  "a worker whose token the API refuses with %s is told so at its start, with the option and the remedy",
  async (reason, status, why) => {
    const detail = { reason, message: "no" };
    const server = createServer((_, answer) => answer.writeHead(status).end(JSON.stringify({ detail })));
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const apiUrl = `http://127.0.0.1:${(server.address() as AddressInfo).port}/execution`;
    const options = {
      apiUrl,
      token: { current: () => "x", refused() {} },
      name: "w",
      instance: "i",
      version: "1",
      heartbeatSec: 1,
      patienceSec: 30,
    };
    const facts = () => ({ queues: ["default"], concurrency: 1, active: 0 });
    try {
      await expect(reportWorker(options, facts, { onQueues() {}, onShutdown() {} }, silentLogger)).rejects.toMatchObject({
        code: "worker_token_refused",
        message: expect.stringMatching(
          new RegExp(`${apiUrl} does not take \\[workers\\] token: it ${why}.*baram worker token --name w`),
        ),
      });
    } finally {
      server.closeAllConnections();
      server.close();
    }
  },
);
