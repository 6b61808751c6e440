import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { DagFileError } from "./import-error.ts";
import { loadDagFile } from "./load-dag-file.ts";

// Each case runs a real child process from dist/.

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "load dags "));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const PATH = "/usr/local/bin:/usr/bin:/bin";
let count = 0;

async function load(text: string, given: { timeoutSec?: number; environment?: Record<string, string> } = {}) {
  const path = `dag${count++}.ts`;
  await writeFile(join(folder, path), text);
  const options = { cacheDir: join(folder, ".cache"), environment: { PATH }, memoryMb: 256, timeoutSec: 20, ...given };
  const { dags } = await loadDagFile(path, folder, options);
  return dags.map(({ dag }) => dag);
}

async function failureOf(text: string, given: { timeoutSec?: number } = {}) {
  const error = await load(text, given).catch((thrown) => thrown);
  expect(error).toBeInstanceOf(DagFileError);
  return (error as DagFileError).error;
}

const dagText = (dagId: string, body = 'task({ taskId: "a" }, async () => 1)();', options = "schedule: null") =>
  `import { dag, task } from "baram";\nexport default dag({ dagId: ${JSON.stringify(dagId)}, ${options} }, () => {\n${body}\n});\n`;

describe("a file that loads", () => {
  test("gives its DAGs, several in one file, after top-level await", async () => {
    const text = `${dagText("one")}\nawait new Promise((resolve) => setTimeout(resolve, 20));\ndag({ dagId: "two", schedule: "@daily" }, () => {});\n`;
    const dags = await load(text);
    expect(dags.map((dag) => [dag.dagId, dag.tasks.length])).toEqual([
      ["one", 1],
      ["two", 0],
    ]);
  });
  test("without a DAG gives none, and no error", async () => {
    expect(await load("export const x = 1;")).toEqual([]);
  });
  test("prints megabytes without harm", async () => {
    const text = `for (let i = 0; i < 3000; i++) { console.log("x".repeat(1000)); console.error("y".repeat(1000)); }\n${dagText("loud")}`;
    expect(await load(text)).toHaveLength(1);
  });
  test("sees the environment it is given, without anything of Baram's", async () => {
    const environment = { PATH, TZ: "Asia/Seoul", BARAM__DATABASE__URL: "postgres://secret", NODE_OPTIONS: "--inspect" };
    const [dag] = await load(dagText("env", "", "tags: Object.keys(process.env)"), { environment });
    expect(dag?.tags).toEqual(expect.arrayContaining(["PATH", "TZ"]));
    expect(dag?.tags.filter((name) => /BARAM|NODE_OPTIONS/.test(name))).toEqual([]);
  });
});

describe("a file that fails", () => {
  test("by DAGs that are larger together than an answer may be: with size and limit", async () => {
    const text = `import { dag, task } from "baram";\nfor (const id of ["a", "b", "c"]) dag({ dagId: id, schedule: null, params: { a: "x".repeat(25e6) } }, () => {});\n`;
    const error = await failureOf(text);
    expect(error.message).toMatch(/too large together: a message of 7\d{7} bytes cannot be sent; at most 67108864.*Define fewer/);
  });
  test("by a text that PostgreSQL could not read again, wherever it stands", async () => {
    const group = 'taskGroup({ groupId: "g", tooltip: "a\\ud800" }, () => void task({ taskId: "a" }, async () => 1)());';
    const text = `import { dag, task, taskGroup } from "baram";\ndag({ dagId: "half" }, () => {\n${group}\n});\n`;
    expect((await failureOf(text)).message).toMatch(/DAG "half": a text of its definition holds half of a surrogate pair/);
  });
  test("by throwing: line, column and message of the .ts file", async () => {
    const failure = await failureOf(
      'import "baram";\n\nfunction inner(): never {\n  throw new TypeError("no such table");\n}\ninner();\n',
    );
    expect(failure).toMatchObject({ kind: "threw", message: "TypeError: no such table", line: 4, column: 9 });
    expect(failure.file).toMatch(/^dag\d+\.ts$/);
    expect(failure.detail).toContain(".ts:6:1");
  });
  test("by throwing no Error, or rejecting without a handler", async () => {
    expect((await failureOf('throw "just text";')).message).toContain("just text");
    expect((await failureOf(`${dagText("r")}\nvoid Promise.reject(new Error("late"));`)).message).toContain("late");
  });
  test("by a task function that no DAG calls: its line; not one that is exported, or of a module that others share", async () => {
    await writeFile(
      join(folder, "shared.ts"),
      'import { task } from "baram";\nexport const clean = task({ taskId: "clean" }, () => 1);\nexport const sort = task({ taskId: "sort" }, () => 1);\n',
    );
    const shared = 'import { sort } from "./shared.ts";\n';
    const text = dagText("calls", 'task({ taskId: "a" }, async () => 1)(); sort();');
    expect(await load(shared + text)).toHaveLength(1);
    expect(await load(`${shared}${text}export const other = task({ taskId: "other" }, () => 1);\n`)).toHaveLength(1);
    expect(await failureOf(`${shared}${text}const other = task({ taskId: "other" }, () => 1);\n`)).toMatchObject({
      kind: "invalid_dag",
      message: 'task "other" is never called, so it is in no DAG: call what task() returned',
      line: 6,
    });
    expect(await failureOf(dagText("left", 'task({ taskId: "a" }, async () => 1);'))).toMatchObject({
      kind: "threw",
      message: expect.stringContaining('task "a" is never called'),
      line: 3,
    });
  });
  test("by importing from Baram what it does not have there: the line, and where it is", async () => {
    expect(
      await failureOf('import {\n  dag,\n  BashOperator,\n} from "baram";\nconsole.log(dag, BashOperator);\n'),
    ).toMatchObject({
      kind: "threw",
      message: 'SyntaxError: "baram" does not export BashOperator: write import { BashOperator } from "baram/operators"',
      line: 3,
    });
    expect((await failureOf('import { EmptyOperater } from "baram/operators";\nnew EmptyOperater();\n')).message).toContain(
      '"baram/operators" does not export EmptyOperater: write import { EmptyOperator } from "baram/operators"',
    );
    expect((await failureOf('import { xyz } from "baram";\nxyz();\n')).message).toBe('SyntaxError: "baram" does not export xyz');
  });
  test("by never ending", async () => {
    expect(await failureOf('console.log("before"); while (true) {}', { timeoutSec: 1 })).toMatchObject({
      kind: "timeout",
      message: expect.stringContaining("longer than 1 s"),
      detail: expect.stringContaining("before"),
    });
    expect((await failureOf("await new Promise(() => { setInterval(() => {}, 1000); });", { timeoutSec: 1 })).kind).toBe(
      "timeout",
    );
  });
  test("by 2 GB on the heap", async () => {
    const failure = await failureOf('const all: string[][] = []; while (true) all.push(new Array(100_000).fill("x"));');
    expect(failure).toMatchObject({ kind: "memory", message: expect.stringContaining("256 MB") });
  });
  test("by 2 GB in buffers, outside the heap", async () => {
    const failure = await failureOf(
      "const all: Buffer[] = []; for (let i = 0; i < 40; i++) { all.push(Buffer.alloc(50e6, 1)); await new Promise((r) => setTimeout(r, 20)); }",
    );
    expect(failure.kind).toBe("memory");
  });
  test.each([0, 1])("by process.exit(%d): the line that called it", async (code) => {
    expect(await failureOf(`${dagText("exits")}\nprocess.exit(${code});\n`)).toMatchObject({
      kind: "exit",
      message: expect.stringContaining(`exit code ${code}`),
      line: 6,
    });
  });
  test("by crashing its process", async () => {
    expect(await failureOf('console.log("last words"); process.abort();')).toMatchObject({
      kind: "crash",
      message: expect.stringContaining("SIGABRT"),
      detail: expect.stringContaining("last words"),
    });
  });
  test("by a cycle, named", async () => {
    const body =
      'const a = task({ taskId: "a" }, async () => 1)();\nconst b = task({ taskId: "b" }, async () => 2)();\na.before(b);\nb.before(a);';
    const failure = await failureOf(dagText("loop", body));
    expect(failure.message).toMatch(/cycle.*a.*b/s);
  });
  test("by an id out of the rule", async () => {
    expect((await failureOf(dagText("bad/id"))).message).toContain("bad/id");
    expect((await failureOf(dagText("good", 'task({ taskId: "sp ace" }, async () => 1)();'))).message).toContain("sp ace");
  });
  test("by a cron expression that never runs", async () => {
    const failure = await failureOf(dagText("cron", "", 'schedule: "0 0 31 2 *"'));
    expect(failure).toMatchObject({
      message: expect.stringContaining('DAG "cron": invalid cron expression "0 0 31 2 *"'),
      file: expect.stringMatching(/^dag\d+\.ts$/),
      line: 2,
    });
    expect(failure.detail).not.toContain("defined here");
  });
  test("by forging its answer on the pipe", async () => {
    const failure = await failureOf(
      'import { writeSync } from "node:fs"; writeSync(3, Buffer.from("ffffffff", "hex")); await new Promise((r) => setTimeout(r, 3000));',
    );
    expect(failure.kind).toBe("internal");
  });
});
