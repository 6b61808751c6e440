// Driver: graphile-worker in this process. Arguments: install folder, database URL, runs. Prints one line of JSON.
import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";
import pg from "pg";

const [, , folder, url, runsText] = process.argv;
const { run, Logger } = await import(pathToFileURL(createRequire(`${folder}/`).resolve("graphile-worker")).href);
const runs = Number(runsText);

let left = 0;
let finish = () => {};
const taskList = {
  link: async ({ at }, { addJob }) => {
    if (at < 39) await addJob("link", { at: at + 1 });
    else finish();
  },
  leaf: async () => {
    if (--left === 0) finish();
  },
};
const runner = await run({
  connectionString: url,
  concurrency: 32,
  taskList,
  noHandleSignals: true,
  logger: new Logger(() => () => {}),
});

const client = new pg.Client(url);
await client.connect();
const addLeaves = `select count(*) from graphile_worker.add_jobs(array(
  select json_populate_record(null::graphile_worker.job_spec, '{"identifier": "leaf", "payload": {}}') from generate_series(1, 1000)))`;

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
  const seconds = await timed(() => runner.addJob("link", { at: 0 }));
  if (at > 0) chain.push(seconds);
}
for (let at = 0; at <= runs; at++) {
  left = 1_000;
  const seconds = await timed(() => client.query(addLeaves));
  if (at > 0) fanOut.push(1_000 / seconds);
}
await runner.stop();
await client.end();
console.log(JSON.stringify({ chain, fanOut }));
process.exit(0);
