// Runs one role of the built package as a separate process: node child-role.mjs scheduler
const [, , role] = process.argv;
const run = `run${role
  .split("-")
  .map((word) => word[0].toUpperCase() + word.slice(1))
  .join("")}`;
const { loadConfig } = await import("../../dist/config/index.js");
const main = await import(`../../dist/main/${role}.js`);
await main[run](loadConfig());
process.exit(0);
