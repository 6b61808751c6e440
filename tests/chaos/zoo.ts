/** Files that a dag-processor must refuse, and two that are valid but unusual. */
export type Animal = { name: string; text: string; isBad: boolean };

const head = 'import { dag, task } from "baram";\n';
const dagOf = (dagId: string, body: string) =>
  `${head}export default dag({ dagId: ${JSON.stringify(dagId)}, schedule: null }, () => { ${body} });\n`;
const taskOf = (id: string) => `task({ taskId: ${JSON.stringify(id)} }, async () => {})()`;

export function zoo({ isShort }: { isShort: boolean }): Animal[] {
  const bad: Record<string, string> = {
    throws: `${head}throw new Error("at import");\n`,
    rejects: `${head}void Promise.reject(new Error("nobody listens"));\nawait new Promise((resolve) => setTimeout(resolve, 50));\n`,
    syntax: "const = 1;\n",
    endless: `${head}while (true) {}\n`,
    waits: `${head}await new Promise(() => { setInterval(() => {}, 1_000); });\n`,
    exits: `${head}process.exit(0);\n`,
    aborts: `${head}process.abort();\n`,
    kills_itself: `${head}process.kill(process.pid, "SIGSEGV");\nwhile (true) {}\n`,
    cycle: dagOf("cycle", `const a = ${taskOf("a")}, b = ${taskOf("b")}; a.before(b); b.before(a);`),
    itself: dagOf("itself", `const a = ${taskOf("a")}; a.before(a);`),
    long_cycle: dagOf(
      "long_cycle",
      `const all = Array.from({ length: 1_000 }, (_, at) => task({ taskId: "t" + at }, async () => {})()); all.forEach((one, at) => one.before(all[(at + 1) % 1_000]));`,
    ),
    twice: `import { EmptyOperator } from "baram/operators";\n${dagOf("twice", 'new EmptyOperator({ taskId: "a" }); new EmptyOperator({ taskId: "a" });')}`,
    same_dag: `${dagOf("same_dag", taskOf("a"))}dag({ dagId: "same_dag", schedule: null }, () => { ${taskOf("b")}; });\n`,
    long_id: dagOf("long_id", taskOf("x".repeat(5_000))),
    long_dag_id: dagOf("x".repeat(5_000), taskOf("a")),
    unicode: dagOf("unicode", taskOf("tâche 任务")),
    right_to_left: dagOf("right_to_left", taskOf("a\u202Eb")),
    nul: dagOf("nul", taskOf("a\u0000b")),
    empty_id: dagOf("", taskOf("a")),
    too_many: dagOf("too_many", 'for (let at = 0; at < 100_001; at++) task({ taskId: "t" + at }, async () => {})();'),
    memory: `${head}const all: Buffer[] = []; for (let at = 0; at < 40; at++) { all.push(Buffer.alloc(50e6, 1)); await new Promise((resolve) => setTimeout(resolve, 5)); }\n`,
    heap: `${head}const all: string[][] = []; while (true) all.push(new Array(100_000).fill("x"));\n`,
  };
  const strange: Record<string, string> = {
    many: dagOf("many", `for (let at = 0; at < ${isShort ? 2_000 : 50_000}; at++) task({ taskId: "t" + at }, async () => {})();`),
    none: "export const nothing = 1;\n",
  };
  // Files that need a process of their own or the whole timeout are slow, so the short form has one of each kind.
  if (isShort) for (const name of ["rejects", "waits", "kills_itself", "memory", "heap"]) delete bad[name];
  return [
    ...Object.entries(bad).map(([name, text]) => ({ name, text, isBad: true })),
    ...Object.entries(strange).map(([name, text]) => ({ name, text, isBad: false })),
  ];
}
