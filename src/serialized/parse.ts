import { type SerializedDag, serializedDagSchema } from "../contracts/index.ts";
import { BaramError, toError } from "../platform/index.ts";

const MAX_ISSUES_SHOWN = 5;

/**
 * Parses the contract form from JSON text or a parsed value. Throws `serialized_dag_invalid`, naming the DAG and the path of each
 * invalid field, so that a damaged row can be found and repaired.
 */
export function parseSerializedDag(json: unknown): SerializedDag {
  const value = typeof json === "string" ? parseText(json) : json;
  const parsed = serializedDagSchema.safeParse(value);
  if (parsed.success) return parsed.data;
  const dagId = dagIdOf(value);
  const issues = parsed.error.issues.slice(0, MAX_ISSUES_SHOWN).map((issue) => `${pathText(issue.path)}: ${issue.message}`);
  const more = parsed.error.issues.length - issues.length;
  const list = issues.join("; ") + (more > 0 ? `; and ${more} more` : "");
  throw new BaramError("serialized_dag_invalid", `serialized DAG ${dagId} is invalid: ${list}`, { dagId, issues });
}

function parseText(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    const { message } = toError(error);
    throw new BaramError("serialized_dag_invalid", `serialized DAG is not JSON: ${message}`, { lengthChars: text.length }, error);
  }
}

function dagIdOf(value: unknown): string {
  const hasId = typeof value === "object" && value !== null && "dagId" in value;
  return hasId && typeof value.dagId === "string" ? `"${value.dagId.slice(0, 250)}"` : "(without a dagId)";
}

function pathText(path: PropertyKey[]): string {
  if (path.length === 0) return "(the whole)";
  return path
    .map((step) => (typeof step === "number" ? `[${step}]` : `.${String(step)}`))
    .join("")
    .replace(/^\./, "");
}
