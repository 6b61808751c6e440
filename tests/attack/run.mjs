// npm run attack [-- --url http://… --username admin --password-file F] [--only text]: attacks a server and prints what held.
// Without --url it starts a server of its own in a folder of its own, and attacks from inside of tasks too.
import { readFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { INSIDE } from "./inside.mjs";
import { OUTSIDE } from "./outside.mjs";
import { startOwnServer } from "./own-server.mjs";
import { createTarget } from "./target.mjs";

const { values } = parseArgs({
  options: {
    url: { type: "string" },
    username: { type: "string", default: "admin" },
    "password-file": { type: "string" },
    only: { type: "string" },
  },
});

const server = values.url === undefined ? await startOwnServer() : null;
let failed = 0;
try {
  const password = server?.password ?? readPassword();
  const target = await createTarget({ url: server?.url ?? values.url, username: values.username, password, server });
  const attacks = [...(server ? INSIDE : []), ...OUTSIDE].filter(
    ({ name }) => values.only === undefined || name.includes(values.only),
  );
  for (const { name, run } of attacks) {
    const from = performance.now();
    const fault = await run(target).then(
      () => null,
      (error) => error,
    );
    const tookMs = Math.round(performance.now() - from);
    if (fault !== null) failed++;
    console.log(
      `${fault === null ? "held    " : "NOT HELD"}  ${name}  (${tookMs} ms)${fault === null ? "" : `\n          ${fault.message}`}`,
    );
  }
  console.log(`attack: ${attacks.length} attacks, ${failed} not held`);
} finally {
  await server?.stop();
}
process.exit(failed === 0 ? 0 : 1);

function readPassword() {
  if (values["password-file"] === undefined) throw new Error("--url needs --password-file");
  return readFileSync(values["password-file"], "utf8").trim();
}
