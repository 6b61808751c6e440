import { expect, test } from "vitest";
import { startSchedulerPart } from "../../src/main/index.ts";
import { silentLogger } from "../../src/platform/index.ts";
import { startEngine } from "../support/engine.ts";

test("with use_row_level_locking off a second scheduler refuses to start, and starts once the first has stopped", async () => {
  const engine = await startEngine({ environment: { BARAM__SCHEDULER__USE_ROW_LEVEL_LOCKING: "false" } });
  const another = () => startSchedulerPart(engine.config, engine.database.open(), engine.apiUrl, silentLogger);
  await expect(another()).rejects.toThrow("[scheduler] use_row_level_locking is off, which allows one only");
  await engine.scheduler().stop();
  let next: Awaited<ReturnType<typeof another>> | null = null;
  // The lock of the first scheduler's session is released a moment after it was closed.
  await expect.poll(async () => (next = await another().catch(() => null)), { timeout: 10_000, interval: 200 }).not.toBeNull();
  await (next as Awaited<ReturnType<typeof another>> | null)?.stop();
  await engine.stop();
});
