import { execFileSync, spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, it } from "vitest";
import { TEXT_EXTENSIONS } from "../../src/dag-files/bundle-dag-file.ts";

// An author's project: the published package, its dependencies, and a compiler with the strictest options.

const root = fileURLToPath(new URL("../..", import.meta.url));
const TSCONFIG = {
  compilerOptions: {
    target: "ES2023",
    lib: ["ES2023"],
    module: "NodeNext",
    strict: true,
    exactOptionalPropertyTypes: true,
    noUncheckedIndexedAccess: true,
    noImplicitOverride: true,
    skipLibCheck: false,
    noEmit: true,
  },
  include: ["dags"],
};

const DAG = `
import { BaseOperator, BaseSensor, dag, type ParamValues, param, type PokeResult, task, taskGroup, type TaskContext, type XComArg } from "baram";
import { BashOperator, FileSensor, sensor } from "baram/operators";
import { SlackWebhookNotifier } from "baram/providers/slack";
import { SmtpNotifier } from "baram/providers/smtp";
${TEXT_EXTENSIONS.map((extension, at) => `import text${at} from "./file${extension}";`).join("\n")}

const texts: string[] = [${TEXT_EXTENSIONS.map((_, at) => `text${at}`).join(", ")}];
const params = { path: "in.csv", limit: param(5, { schema: { type: "integer" } }), region: param<string>(undefined) };
type Ctx = TaskContext<ParamValues<typeof params>>;

class Greet extends BaseOperator<{ name: string }, string, "name"> {
  static override readonly templateFields = ["name"];
  static override readonly optionNames = [];
  async execute(ctx: TaskContext) {
    return \`\${this.options.name} \${ctx.signal.aborted} \${process.env.HOME}\`;
  }
}
class Arrived extends BaseSensor<{ path: string }> {
  async poke(): Promise<PokeResult<unknown>> {
    return { done: true, value: undefined };
  }
}

export default dag({ dagId: "a", params, onFailure: [new SmtpNotifier({ to: "a@b.c" }), new SlackWebhookNotifier({ text: "x" })] }, () => {
  const count = task({ taskId: "count" }, async (ctx: Ctx, path: string, n: number = 3) => path.length + n + ctx.params.limit + texts.length);
  const total: XComArg<number> = count("x");
  taskGroup("g", (path: XComArg<string>) => count(path, total)).expand(["a", "b"]);
  new Greet({ taskId: "greet", name: "Ada" }).before(new BashOperator({ taskId: "b", bashCommand: "ls" }));
  new FileSensor({ taskId: "f", path: "/x" }).before(new Arrived({ taskId: "s", path: "/y" }));
  sensor({ taskId: "w" }, () => true)();
  // @ts-expect-error there is no such param
  task({ taskId: "typo" }, (ctx: Ctx) => ctx.params.pth)();
  // @ts-expect-error a Date cannot travel
  task({ taskId: "date" }, () => new Date())();
});
`;

let project: string;
let tarball: string;
beforeAll(() => {
  project = mkdtempSync(join(tmpdir(), "baram-project-"));
  const installed = join(project, "node_modules", "baram");
  mkdirSync(installed, { recursive: true });
  const packed = execFileSync("npm", ["pack", "--ignore-scripts", "--silent", "--pack-destination", project], {
    cwd: root,
    encoding: "utf8",
  });
  tarball = packed.trim();
  execFileSync("tar", ["-xzf", join(project, tarball), "-C", installed, "--strip-components=1"]);
  const { dependencies } = JSON.parse(readFileSync(join(installed, "package.json"), "utf8")) as { dependencies: object };
  for (const name of Object.keys(dependencies)) {
    const link = join(project, "node_modules", name);
    mkdirSync(dirname(link), { recursive: true });
    symlinkSync(join(root, "node_modules", name), link);
  }
  writeFileSync(join(project, "package.json"), JSON.stringify({ type: "module" }));
  writeFileSync(join(project, "tsconfig.json"), JSON.stringify(TSCONFIG));
  mkdirSync(join(project, "dags"));
  writeFileSync(join(project, "dags", "a.ts"), DAG);
  for (const [at, example] of examplesOfDocs().entries()) writeFileSync(join(project, "dags", `example${at}.ts`), example);
}, 120_000);
afterAll(() => rmSync(project, { recursive: true, force: true }));

/** The complete TypeScript examples of the docs: those that start with an import. */
function examplesOfDocs(): string[] {
  const pages = ["README.md", "docs/dag-authoring.md"].map((page) => readFileSync(join(root, page), "utf8"));
  const examples = pages.flatMap((page) => [...page.matchAll(/^```ts\n(import .*?)^```$/gms)].map(([, code]) => code ?? ""));
  expect(examples.length).toBeGreaterThan(6);
  return examples;
}

it("the published types hold in a fresh project, for the examples of the docs too, with every check on and no other package installed", () => {
  const tsc = join(root, "node_modules", "typescript", "bin", "tsc");
  const { stdout, status } = spawnSync(process.execPath, [tsc, "-p", project], { encoding: "utf8", timeout: 280_000 });
  expect({ stdout, status }).toEqual({ stdout: "", status: 0 });
}, 300_000);

it("the image of docs/executors/lambda.md copies the packed tarball, and its module exports a handler that runs", () => {
  const page = readFileSync(join(root, "docs", "executors", "lambda.md"), "utf8");
  const [, dockerfile = ""] = /```dockerfile\n(.*?)```/s.exec(page) ?? [];
  const [, copied = ""] = /^ *COPY (\S+) \/tmp\/$/m.exec(dockerfile) ?? [];
  expect(tarball).toMatch(new RegExp(`^${copied.replaceAll(".", "\\.").replace("*", ".*")}$`));
  expect(dockerfile).toContain(`/tmp/${copied}`);
  const [, code = "", file = ""] = /^ *RUN echo '(.*)' > (\S+)$/m.exec(dockerfile) ?? [];
  writeFileSync(join(project, file), code);
  const [, module, name] = /^ *CMD \["(.*)\.(.*)"\]$/m.exec(dockerfile) ?? [];
  expect(`${module}.mjs`).toBe(file);
  const call = `import { ${name} } from "./${file}"; await ${name}({}, { awsRequestId: "1", getRemainingTimeInMillis: () => 60000 });`;
  const { stderr } = spawnSync(process.execPath, ["--input-type=module", "--eval", call], { cwd: project, encoding: "utf8" });
  expect(stderr).toContain("The event is no invocation of a LambdaExecutor of this version of Baram: task_key");
}, 60_000);
