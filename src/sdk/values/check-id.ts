import { ID_RULE, isValidId } from "../../contracts/index.ts";
import { DagDefinitionError, showValue } from "../definition-error.ts";

/** @throws DagDefinitionError INVALID_ID unless `id` is a valid name of a DAG, a task or a task group (`what`). */
export function checkId(what: string, id: unknown): asserts id is string {
  if (typeof id === "string" && isValidId(id)) return;
  const length = typeof id === "string" && id.length > 250 ? ` (it has ${id.length} characters)` : "";
  throw new DagDefinitionError("INVALID_ID", `${what} ${showValue(id)} is not allowed${length}: use ${ID_RULE}`, { what, id });
}
