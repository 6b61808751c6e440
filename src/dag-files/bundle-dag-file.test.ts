import { mkdir, mkdtemp, realpath, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join, relative } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { bundleDagFile } from "./bundle-dag-file.ts";
import { DagFileError } from "./import-error.ts";

let folder: string;
beforeEach(async () => {
  folder = await realpath(await mkdtemp(join(tmpdir(), "bundle ")));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

async function write(path: string, text: string, root = folder): Promise<void> {
  await mkdir(dirname(join(root, path)), { recursive: true });
  await writeFile(join(root, path), text);
}

async function failureOf(path: string) {
  const error = await bundleDagFile(path, folder).catch((thrown) => thrown);
  expect(error).toBeInstanceOf(DagFileError);
  return (error as DagFileError).error;
}

const DAG =
  'import { dag } from "baram";\nimport { BashOperator } from "baram/operators";\nimport { id } from "./lib/id";\nexport default dag({ dagId: id }, () => { new BashOperator({ taskId: "a", bashCommand: "true" }); });\n';

test("one module: helpers inside, baram outside, Node's own not listed", async () => {
  await write("a.ts", `import fs from "node:fs"; import "path"; void fs;\n${DAG}`);
  await write("lib/id.ts", 'export const id: string = "one";');
  const bundle = await bundleDagFile("a.ts", folder);
  expect(bundle.externals).toEqual(["baram"]);
  expect(bundle.inputs).toEqual([join(folder, "a.ts"), join(folder, "lib/id.ts")]);
  expect(bundle.code).toContain('"one"');
  expect(bundle.code).not.toContain(folder);
});

test("the same files in another folder give the same hash; a change of a helper another one", async () => {
  const other = await realpath(await mkdtemp(join(tmpdir(), "elsewhere-")));
  for (const root of [folder, other]) {
    await write("a.ts", DAG, root);
    await write("lib/id.ts", 'export const id = "one";', root);
  }
  const first = await bundleDagFile("a.ts", folder);
  expect((await bundleDagFile(join(other, "a.ts"), other)).hash).toBe(first.hash);
  await write("lib/id.ts", 'export const id = "two";');
  expect((await bundleDagFile("a.ts", folder)).hash).not.toBe(first.hash);
  await rm(other, { recursive: true });
});

test("a syntax error has file, line, column and text", async () => {
  await write("bad.ts", 'import "baram";\nconst a = ;\n');
  expect(await failureOf("bad.ts")).toMatchObject({
    kind: "syntax",
    file: "bad.ts",
    line: 2,
    column: 11,
    message: 'Unexpected ";"',
  });
});

test("packages that are not installed are named all at once, with the command and its folder, before other faults", async () => {
  const names = Array.from({ length: 12 }, (_, at) => (at === 5 ? "@scope/pkg" : `no-such-package-${at}`));
  const imports = names.map((name) => `import ${JSON.stringify(at(name))};`).join("\n");
  await write(
    "pipelines/a.ts",
    `import "./gone";\nimport "./lib/helper";\n${imports}\n${DAG.replace("./lib/id", "./lib/helper")}`,
  );
  await write("pipelines/lib/helper.ts", 'import "no-such-package-1/deep"; import "left-out"; export const id = "x";');
  const expected = [...names, "left-out"];
  const { kind, message, file, line } = await failureIn("pipelines");
  expect({ kind, file, line }).toEqual({ kind: "unresolved_import", file: "a.ts", line: 3 });
  for (const name of expected) expect(message).toContain(`"${name}"`);
  const command = /run "npm install ([^"]+)" in (.+)$/.exec(message);
  expect(command?.[1]?.split(" ").sort()).toEqual([...expected].sort());
  expect(command?.[2]).toBe(join(folder, "pipelines"));
  await write("package.json", "{}");
  expect((await failureIn("pipelines")).message).toContain(`in ${folder}`);
});

const at = (name: string) => (name.endsWith("3") ? `${name}/sub/path` : name);

async function failureIn(root: string) {
  const error = await bundleDagFile("a.ts", join(folder, root)).catch((thrown) => thrown);
  expect(error).toBeInstanceOf(DagFileError);
  return (error as DagFileError).error;
}

test("an unresolved import is placed where it is written, also in a helper", async () => {
  await write("a.ts", 'import "./lib/helper";');
  await write("lib/helper.ts", '\n  import "./gone";');
  expect(await failureOf("a.ts")).toMatchObject({ kind: "unresolved_import", file: "lib/helper.ts", line: 2, column: 10 });
  await write("b.ts", 'import x from "no-such-package"; x();');
  expect((await failureOf("b.ts")).message).toContain('"no-such-package"');
});

test("files outside of the DAG folder are refused, with the import's line, the path and the remedy, and never shown", async () => {
  const elsewhere = await realpath(await mkdtemp(join(tmpdir(), "elsewhere-")));
  await write("secret.txt", "the secret", elsewhere);
  await write("secret.ts", "the secret is {{{", elsewhere);
  await symlink(elsewhere, join(folder, "linked"));
  await symlink(join(elsewhere, "secret.txt"), join(folder, "linked.txt"));
  await mkdir(join(folder, "node_modules"));
  await symlink(elsewhere, join(folder, "node_modules/evil"));
  const up = relative(folder, elsewhere);
  const specifiers = [`${up}/secret.txt`, `${elsewhere}/secret.txt`, "./linked/secret.txt", "./linked.txt", "evil/secret.txt"];
  for (const specifier of [...specifiers, `${up}/secret`, `${elsewhere}/secret.ts`]) {
    for (const [at, text] of [
      ["import", `import x from "${specifier}"; export const y = x;`],
      ["dynamic", `export const y = await import("${specifier}");`],
      ["require", `export const y = require("${specifier}");`],
      ["export", `export * from "${specifier}";`],
    ] as const) {
      await write("a.ts", `\n${text}\n`);
      const error = await failureOf("a.ts");
      expect(error, `${at} ${specifier}`).toMatchObject({ kind: "unresolved_import", file: "a.ts", line: 2 });
      expect(error.message).toMatch(
        /^Outside of the DAG folder: .*secret\.(txt|ts) is not imported\. Move it .* \[dag_processor\] import_folders$/,
      );
      expect(JSON.stringify(error)).not.toContain("the secret");
    }
  }
  await write("a.ts", `import x from "${up}/secret.txt"; export const y = x;`);
  expect((await bundleDagFile("a.ts", folder, [elsewhere])).code).toContain("the secret");
  await rm(elsewhere, { recursive: true });
});

test("installed packages are found in a parent's node_modules, also as links of a workspace", async () => {
  await write("dags/a.ts", 'import one from "one"; import two from "@own/two"; export const x = [one, two];');
  await write("node_modules/one/index.js", "export default 'first';");
  await write("packages/two/index.js", "import dep from 'dep'; export default 'second' + dep;");
  await write("packages/two/node_modules/dep/index.js", "export default 'third';");
  await mkdir(join(folder, "node_modules/@own"));
  await symlink("../../packages/two", join(folder, "node_modules/@own/two"));
  const { code } = await bundleDagFile("a.ts", join(folder, "dags"));
  for (const word of ["first", "second", "third"]) expect(code).toContain(word);
});

test("npm packages are bundled, CommonJS ones too, and see require and __dirname", async () => {
  await write("node_modules/old/package.json", '{"name":"old","main":"index.js"}');
  await write("node_modules/old/index.js", 'module.exports = { sep: require("path").sep, dir: __dirname };');
  await write("a.ts", 'import old from "old"; export const sep = old.sep;');
  const bundle = await bundleDagFile("a.ts", folder);
  expect(bundle.externals).toEqual([]);
  const module = await import(
    `data:text/javascript,${encodeURIComponent(bundle.code.replaceAll("import.meta.url", '"file:///x/y.mjs"'))}`
  );
  expect(module.sep).toBe("/");
});

test("native packages stay outside: by a required .node file, by their package.json, by name", async () => {
  await write("node_modules/by-file/package.json", '{"name":"by-file","main":"index.js"}');
  await write("node_modules/by-file/index.js", 'module.exports = require("./build/x.node");');
  await write("node_modules/by-file/build/x.node", "");
  await write(
    "node_modules/@scope/by-manifest/package.json",
    '{"name":"@scope/by-manifest","main":"index.js","dependencies":{"node-gyp-build":"4"}}',
  );
  await write("node_modules/@scope/by-manifest/index.js", "module.exports = 1;");
  await write("node_modules/by-name/package.json", '{"name":"by-name","main":"index.js"}');
  await write("node_modules/by-name/index.js", "module.exports = 1;");
  await write("package.json", '{"baram":{"external":["by-name"]}}');
  await write(
    "a.ts",
    'import a from "by-file"; import b from "@scope/by-manifest"; import c from "by-name/index.js"; console.log(a, b, c);',
  );
  expect((await bundleDagFile("a.ts", folder)).externals).toEqual(["@scope/by-manifest", "by-file", "by-name"]);
});

test("a type-only import of a helper needs no `type` keyword, and .sql files are strings", async () => {
  await write("types.ts", "export type Row = { id: string };");
  await write("query.sql", "SELECT 1");
  await write("a.ts", 'import { Row } from "./types"; import sql from "./query.sql"; export const row: Row = { id: sql };');
  const bundle = await bundleDagFile("a.ts", folder);
  expect(bundle.code).toContain("SELECT 1");
  expect(bundle.inputs).toContain(join(folder, "query.sql"));
});
