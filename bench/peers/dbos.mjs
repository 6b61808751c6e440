// Driver: DBOS Transact in this process. Arguments: install folder, database URL, runs. Prints one line of JSON.
import { createRequire } from "node:module";

const [, , folder, url, runsText] = process.argv;
const { DBOS } = createRequire(`${folder}/`)("@dbos-inc/dbos-sdk");
const runs = Number(runsText);
DBOS.setConfig({ name: "bench", systemDatabaseUrl: url, logLevel: "error", runAdminServer: false });
const step = (name) => DBOS.runStep(async () => null, { name });
const chainFlow = DBOS.registerWorkflow(
  async () => {
    for (let at = 0; at < 40; at++) await step(`t${at}`);
  },
  { name: "chain" },
);
const fanFlow = DBOS.registerWorkflow(
  async () => {
    await Promise.all(Array.from({ length: 1_000 }, (_, at) => step(`t${at}`)));
  },
  { name: "fan" },
);
await DBOS.launch();

async function timed(work) {
  const startedAt = performance.now();
  await work();
  return (performance.now() - startedAt) / 1_000;
}

const chain = [];
const fanOut = [];
for (let at = 0; at <= runs; at++) {
  const seconds = await timed(chainFlow);
  if (at > 0) chain.push(seconds);
}
for (let at = 0; at <= runs; at++) {
  const seconds = await timed(fanFlow);
  if (at > 0) fanOut.push(1_000 / seconds);
}
console.log(JSON.stringify({ chain, fanOut }));
process.exit(0);
