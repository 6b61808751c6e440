import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { loadConfig } from "../../src/config/index.ts";
import { openBroker } from "../../src/executors/queue/index.ts";
import { brokerOptions } from "../../src/main/executors/queue.ts";
import { type MonitorPart, startMonitorPart } from "../../src/main/parts/monitor-part.ts";
import { silentLogger } from "../../src/platform/index.ts";
import { beatWorker } from "../../src/store/index.ts";
import { type BrokerServer, startBroker } from "../support/brokers.ts";
import { createTestDatabase, type TestDatabase } from "../support/database.ts";

const TOKEN = "a-token-that-starts-a-try";
const AUTHORIZED = { authorization: `Basic ${Buffer.from("ada:lo:ve").toString("base64")}` };

describe.each(["redis", "rabbitmq"] as const)("over %s", (kind) => {
  let broker: BrokerServer;
  let database: TestDatabase;
  let monitor: MonitorPart;
  const configOf = (own: Record<string, string>) =>
    loadConfig({ BARAM_HOME: "/nowhere/at/all", BARAM__QUEUE__BROKER_URL: broker.url, BARAM__MONITOR__PORT: "0", ...own });

  beforeAll(async () => {
    broker = await startBroker(kind);
    database = await createTestDatabase();
    const config = configOf({ BARAM__MONITOR__BASIC_AUTH: "bob:secret,ada:lo:ve" });
    const publisher = await openBroker(brokerOptions(config), silentLogger);
    await publisher.start();
    const body = JSON.stringify({ type: "ExecuteTask", token: TOKEN, ti: { taskId: "shown" } });
    await publisher.publish([{ queue: "default", id: "m1", body, priority: 1 }]);
    await publisher.close();
    const report = {
      instance: "00000000-0000-4000-8000-000000000001",
      hostname: "<b>host</b>",
      pid: 7,
      version: "1",
      queues: ["default"],
      concurrency: 4,
      active: 1,
      state: "running" as const,
      takesOver: null,
    };
    await beatWorker(database.store, "etl-1", report, 30);
    monitor = await startMonitorPart(config, database.open(), silentLogger);
  }, 60_000);
  afterAll(async () => {
    await monitor?.stop();
    await database?.drop();
    await broker?.stop();
  });

  test("it shows queues and workers to those who log in, and nothing to others", async () => {
    const strangers: Record<string, string>[] = [{}, { authorization: `Basic ${Buffer.from("ada:wrong").toString("base64")}` }];
    for (const headers of strangers)
      for (const path of ["/", "/board", "/board/api/queues"]) {
        const refused = await fetch(monitor.url + path, { headers });
        expect([path, refused.status]).toEqual([path, 401]);
        expect(refused.headers.get("www-authenticate")).toContain("Basic");
      }
    const answer = await fetch(`${monitor.url}/`, { headers: AUTHORIZED });
    expect(answer.status).toBe(200);
    const page = await answer.text();
    expect(page).toContain("<td>default</td><td>1</td>");
    expect(page).toContain("<td>etl-1</td><td>running</td><td>&lt;b&gt;host&lt;/b&gt;</td>");
  });

  test.runIf(kind === "redis")("bull-board shows the messages of Redis without their tokens, and changes nothing", async () => {
    const home = await fetch(`${monitor.url}/board`, { headers: AUTHORIZED });
    expect(home.status).toBe(200);
    const script = /(?:src|href)="([^"]+\.(?:js|css))"/.exec(await home.text())?.[1] ?? "";
    const asset = await fetch(new URL(script, `${monitor.url}/board/`), { headers: AUTHORIZED });
    expect([script, asset.status]).toEqual([script, 200]);
    const answer = await fetch(`${monitor.url}/board/api/queues?activeQueue=default&status=prioritized`, { headers: AUTHORIZED });
    const text = await answer.text();
    expect(text).toContain("shown");
    expect(text).not.toContain(TOKEN);
    const removal = await fetch(`${monitor.url}/board/api/queues/default/m1/clean`, { method: "PUT", headers: AUTHORIZED });
    expect(removal.status).toBe(405);
  });

  test("it refuses to listen beyond this machine without a password, and a login that is none", async () => {
    const open = (own: Record<string, string>) => startMonitorPart(configOf(own), database.store, silentLogger);
    await expect(open({ BARAM__MONITOR__HOST: "0.0.0.0" })).rejects.toMatchObject({ code: "monitor_unprotected" });
    const wrong = await open({ BARAM__MONITOR__BASIC_AUTH: "just-a-password" }).catch((error) => error);
    expect(wrong).toMatchObject({ code: "config_invalid" });
    expect(wrong.message).not.toContain("just-a-password");
  });
});
