import { readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import ts from "typescript";

const QUERIES = fileURLToPath(new URL("../../src/store/queries/", import.meta.url));

/** `id`: the statement's name, or its file and function if the name is not a literal. `text` matches the SQL that is sent. */
export type LockingStatement = { id: string; text: RegExp };

/**
 * All statements of the store that change, delete or lock rows of the table, found in the source, so that a new one cannot be
 * forgotten.
 */
export function locksOn(table: string): LockingStatement[] {
  const changes = new RegExp(`\\b(update|delete from) ${table}\\b`);
  const reads = new RegExp(`\\b(from|join) ${table}\\b`);
  const locks = /\bfor (no key update|update|share|key share)\b/;
  const found: LockingStatement[] = [];
  for (const path of readdirSync(QUERIES, { recursive: true, encoding: "utf8" }).sort()) {
    if (!path.endsWith(".ts") || path.endsWith(".test.ts")) continue;
    const source = ts.createSourceFile(path, readFileSync(QUERIES + path, "utf8"), ts.ScriptTarget.Latest, true);
    const visit = (node: ts.Node): void => {
      if (!ts.isTemplateExpression(node) && !ts.isStringLiteralLike(node)) {
        ts.forEachChild(node, visit);
        return;
      }
      const sql = node.getText();
      if (changes.test(sql) || (reads.test(sql) && locks.test(sql))) found.push({ id: idOf(node, path), text: patternOf(node) });
    };
    visit(source);
  }
  return found;
}

function idOf(literal: ts.Node, path: string): string {
  for (let node = literal.parent; node; node = node.parent) {
    if (ts.isFunctionDeclaration(node)) return `${path} ${node.name?.text}`;
    const name = ts.isObjectLiteralExpression(node) ? node.properties.find(isName)?.initializer : undefined;
    if (name && ts.isStringLiteralLike(name)) return name.text;
  }
  throw new Error(`a statement in ${path} has neither a name nor a function`);
}

function isName(property: ts.ObjectLiteralElementLike): property is ts.PropertyAssignment {
  return ts.isPropertyAssignment(property) && property.name.getText() === "name";
}

function patternOf(node: ts.TemplateExpression | ts.StringLiteralLike): RegExp {
  const parts = ts.isTemplateExpression(node)
    ? [node.head.text, ...node.templateSpans.map(({ literal }) => literal.text)]
    : [node.text];
  const escaped = parts.map((part) => part.replace(/[.*+?^${}()|[\]\\]/g, "\\$&"));
  return new RegExp(`^${escaped.join("[\\s\\S]*")}$`);
}
