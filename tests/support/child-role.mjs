// Runs one role of the built package as a process of its own: node child-role.mjs scheduler
const [, , role] = process.argv;
const runs = { scheduler: "runScheduler", "dag-processor": "runDagProcessor", "api-server": "runApiServer" };
const { loadConfig } = await import("../../dist/config/index.js");
const main = await import(`../../dist/main/${role}.js`);
await main[runs[role]](loadConfig());
process.exit(0);
