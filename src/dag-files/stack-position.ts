import { MODULE_FILE } from "../platform/index.ts";

export type StackPosition = { file: string; line: number; column: number };

/**
 * The innermost position of a stack in the DAG folder's own files. Node's source map support has already translated module
 * positions to `<module folder>/<file>.ts:line:column`; files of packages and the bundled module itself are ignored.
 */
export function findPosition(stack: string, moduleFolder: string): StackPosition | null {
  const pattern = new RegExp(`${escapeRegExp(moduleFolder)}/([^\\n:()]+):(\\d+):(\\d+)`, "g");
  for (const [, file = "", line, column] of stack.matchAll(pattern)) {
    if (file !== MODULE_FILE && !file.includes("node_modules/")) return { file, line: Number(line), column: Number(column) };
  }
  return null;
}

/** The stack with positions as the author knows them, without the frames of Node and Baram at its end. */
export function readableStack(stack: string, moduleFolder: string): string {
  return stack
    .split("\n")
    .filter((line) => !/^\s+at .*(?:node:internal|\/dag-files\/child\/)/.test(line))
    .join("\n")
    .replaceAll(`file://${moduleFolder}/`, "")
    .replaceAll(`${moduleFolder}/`, "");
}

function escapeRegExp(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
}
