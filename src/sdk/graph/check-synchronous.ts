import { DagDefinitionError } from "../definition-error.ts";

/** @throws DagDefinitionError DAG_BODY_ASYNC if the body of a DAG or group returned a promise. */
export function checkSynchronous(where: string, returned: unknown): void {
  if (typeof returned !== "object" || returned === null || !("then" in returned)) return;
  throw new DagDefinitionError(
    "DAG_BODY_ASYNC",
    `${where}: its body is async. The body only defines the tasks: make it synchronous, await before dag() or inside a task`,
  );
}
