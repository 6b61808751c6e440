import { readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";

const folder = fileURLToPath(new URL(".", import.meta.url));

/** Every exported function of the queries, with its signature in one line. */
const signatures = readdirSync(folder, { recursive: true, encoding: "utf8" })
  .filter((path) => path.endsWith(".ts") && !path.endsWith(".test.ts"))
  .flatMap((path) => {
    const text = readFileSync(`${folder}/${path}`, "utf8");
    return [...text.matchAll(/^export (?:async )?function (\w+)(?:<.*?>)?\(([\s\S]*?)\): (.+) \{$/gm)].map(
      ([, name = "", parameters = "", answer = ""]) => ({ path, name, parameters, answer }),
    );
  });

test("a function of the queries is called list… exactly if it answers one page with a total", () => {
  expect(signatures.length).toBeGreaterThan(150);
  const paged = signatures
    .filter(({ answer, path }) => answer.includes("Listed<") && path !== "compose.ts")
    .map(({ name }) => name);
  expect(paged.length).toBeGreaterThan(10);
  expect(signatures.filter(({ name }) => /^list[A-Z]/.test(name)).map(({ name }) => name)).toEqual(paged);
  expect(signatures.filter(({ name }) => /^page[A-Z]/.test(name))).toEqual([]);
});

test("a function called all… takes nothing that would bound it", () => {
  const all = signatures.filter(({ name, answer }) => /^all[A-Z]/.test(name) && answer.startsWith("Promise<"));
  expect(all.length).toBeGreaterThan(3);
  for (const { name, parameters } of all) expect(parameters, name).toMatch(/^db: Db(, cipher: Cipher)?$/);
});
