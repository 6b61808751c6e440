/** Lines per second through a log writer whose disk costs nothing, by the number of secrets that its masker knows. */
import { randomBytes } from "node:crypto";
import { createMasker } from "../dist/platform/index.js";
import { createLogWriter } from "../dist/task-logs/index.js";

const LINES = 200_000;
const event = (n) => `processed row ${n} of table sales_${n % 7} in ${n * 3} ms, path=/data/in/${n}.csv status=ok`;

async function measure(secrets, facts) {
  const masker = createMasker();
  for (let n = 0; n < secrets; n++) masker.add(randomBytes(18).toString("base64"));
  const log = createLogWriter({
    sink: { open: () => async () => 0 },
    path: "x.log",
    maxLineBytes: 65_536,
    maxFileBytes: Number.MAX_SAFE_INTEGER,
    masker: () => masker,
    onFault: () => {},
  });
  const startedAt = performance.now();
  for (let n = 0; n < LINES; n++) {
    log.write({ timestamp: "2026-01-01T00:00:00.000Z", level: "info", event: event(n), logger: "task", ...facts });
    if (n % 1_000 === 999) await log.flush();
  }
  return Math.round(LINES / ((performance.now() - startedAt) / 1_000));
}

for (const [name, facts] of [
  ["plain lines", {}],
  ["lines with facts", { rows: 12, table: "sales", options: { retries: 3, mode: "append" } }],
]) {
  await measure(0, facts);
  for (const secrets of [0, 10, 100]) console.log(`${name}, ${secrets} secrets: ${await measure(secrets, facts)} lines/s`);
}
