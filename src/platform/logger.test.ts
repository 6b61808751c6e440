import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";

const entry = fileURLToPath(new URL("../../dist/platform/index.js", import.meta.url));

/** Runs `body` in a separate process, which counts its writes to stderr and prints the number on stdout. */
function logged(body: string, format = "json") {
  const script = `
    import fs from "node:fs";
    let writes = 0;
    const write = fs.writeSync;
    fs.writeSync = (...args) => { writes++; return write(...args); };
    const { createLogger } = await import(${JSON.stringify(entry)});
    const logger = createLogger({ level: "info", role: "test", format: ${JSON.stringify(format)} });
    process.on("exit", () => process.stdout.write(String(writes)));
    ${body}`;
  const { stdout, stderr, status } = spawnSync(process.execPath, ["--input-type=module", "-e", script], { encoding: "utf8" });
  return { writes: Number(stdout), lines: stderr.split("\n").filter((line) => line !== ""), status };
}

test("what is logged in one turn is written at once, in order, and nothing below the level", () => {
  const { writes, lines } = logged(
    "for (let at = 0; at < 300; at++) { logger.info({ at }, 'said'); logger.debug({}, 'not said'); }",
  );
  expect(lines.map((line) => JSON.parse(line).at)).toEqual(Array.from({ length: 300 }, (_, at) => at));
  expect(JSON.parse(lines[0] ?? "")).toMatchObject({ level: 30, role: "test", msg: "said" });
  expect(writes).toBe(1);
});

test.each(["process.exit(3)", "throw new Error('the end')"])("a process that ends in that turn by %s has written all", (end) => {
  const { lines, status } = logged(`logger.error({ at: 1 }, "first"); logger.info({ at: 2 }, "second"); ${end};`);
  expect(lines.filter((line) => line.startsWith("{")).map((line) => JSON.parse(line).at)).toEqual([1, 2]);
  expect(status).not.toBe(0);
});

test("readable lines are one line each", () => {
  const { lines } = logged("logger.child({ dagId: 'd' }).warn({ why: 'two\\nlines' }, 'said');", "readable");
  expect(lines).toEqual([expect.stringMatching(/^[-\d]+ [:.\d]+ WARN {2}test {10}said {2}dagId=d {2}why="two\\nlines"$/)]);
});
