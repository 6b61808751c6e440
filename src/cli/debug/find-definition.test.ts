import { mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { Config } from "../../config/index.ts";
import { findDefinition } from "./find-definition.ts";

let folder: string;
beforeAll(() => {
  folder = realpathSync(mkdtempSync(join(tmpdir(), "baram-find-definition-")));
  mkdirSync(join(folder, "dags"));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const find = (file: string) => findDefinition("d", { file, config: {} as Config, cacheDir: join(folder, "cache") });

test("a folder, and a file that is not there, are refused with the remedy", async () => {
  const dags = join(folder, "dags");
  await expect(find(dags)).rejects.toThrow(`${dags} is a folder. Give --file the path of the DAG's file in it.`);
  await expect(find(join(dags, "no.ts"))).rejects.toThrow(`There is no file ${join(dags, "no.ts")}.`);
});

test("what a file throws is shown with the line of the file", async () => {
  const file = join(folder, "dags", "throws.ts");
  writeFileSync(file, "type T = {\n  id: string;\n};\nconst none = undefined as unknown as T;\nexport const id = none.id;\n");
  await expect(find(file)).rejects.toThrow(`${file}:5:24 cannot be loaded: TypeError: Cannot read properties of undefined`);
});
