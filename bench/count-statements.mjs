// Preloaded into the measured standalone process: counts the statements it sends to the database, without changing its code.
// Writes the count into the file BENCH_STATEMENTS on each SIGUSR2.
import { writeFileSync } from "node:fs";
import { createRequire } from "node:module";

const file = process.env.BENCH_STATEMENTS;
if (file && /cli[/\\]main\.js$/.test(process.argv[1] ?? "")) {
  const { Client } = createRequire(import.meta.url)("pg");
  const byName = new Map();
  let count = 0;
  const query = Client.prototype.query;
  Client.prototype.query = function (statement, ...rest) {
    const name = typeof statement === "string" ? statement : (statement.name ?? statement.text);
    byName.set(name, (byName.get(name) ?? 0) + 1);
    count++;
    return query.call(this, statement, ...rest);
  };
  process.on("SIGUSR2", () => writeFileSync(file, JSON.stringify({ count, byName: Object.fromEntries(byName) })));
}
