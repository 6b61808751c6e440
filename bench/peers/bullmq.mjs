// Driver: BullMQ in this process. Arguments: install folder, Redis port, runs. Prints one line of JSON.
import { createRequire } from "node:module";

const [, , folder, port, runsText] = process.argv;
const { Queue, Worker } = createRequire(`${folder}/`)("bullmq");
const runs = Number(runsText);
const connection = { host: "127.0.0.1", port: Number(port), maxRetriesPerRequest: null };
const queue = new Queue("bench", { connection });

let left = 0;
let finish = () => {};
const worker = new Worker(
  "bench",
  async ({ name, data }) => {
    if (name === "leaf") {
      if (--left === 0) finish();
    } else if (data.at < 39) await queue.add("link", { at: data.at + 1 });
    else finish();
  },
  { connection, concurrency: 32 },
);
await worker.waitUntilReady();

async function timed(start) {
  const ended = new Promise((resolve) => (finish = resolve));
  const startedAt = performance.now();
  await start();
  await ended;
  return (performance.now() - startedAt) / 1_000;
}

const chain = [];
const fanOut = [];
for (let at = 0; at <= runs; at++) {
  const seconds = await timed(() => queue.add("link", { at: 0 }));
  if (at > 0) chain.push(seconds);
}
for (let at = 0; at <= runs; at++) {
  left = 1_000;
  const seconds = await timed(() => queue.addBulk(Array.from({ length: 1_000 }, () => ({ name: "leaf", data: {} }))));
  if (at > 0) fanOut.push(1_000 / seconds);
}
await worker.close();
await queue.close();
console.log(JSON.stringify({ chain, fanOut }));
process.exit(0);
