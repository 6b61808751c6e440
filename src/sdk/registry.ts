import type { DagDefinition } from "./dag-definition.ts";
import { DagDefinitionError } from "./definition-error.ts";

// `dag()` has no parameter to hand its result to, so a file's load is one ambient collection; loads wait for each other.
let collecting: Map<string, DagDefinition> | undefined;
let lastLoad: Promise<unknown> = Promise.resolve();

/** @throws DagDefinitionError DAG_DUPLICATE_ID: two DAGs of one id in the file that loads. */
export function registerDag(dag: DagDefinition): void {
  if (collecting === undefined) return;
  if (collecting.has(dag.dagId)) {
    throw new DagDefinitionError("DAG_DUPLICATE_ID", `the file defines two DAGs with the id "${dag.dagId}"`, {
      dagId: dag.dagId,
    });
  }
  collecting.set(dag.dagId, dag);
}

/**
 * The DAGs that `dag()` defines while `load` runs, in that order. Concurrent calls run one after another. A module that
 * was imported before is not evaluated again, so it defines nothing the second time: keep what the first call returned.
 */
export function collectDags(load: () => Promise<unknown>): Promise<DagDefinition[]> {
  const result = lastLoad.then(async () => {
    const collection = new Map<string, DagDefinition>();
    collecting = collection;
    try {
      await load();
      return [...collection.values()];
    } finally {
      collecting = undefined;
    }
  });
  lastLoad = result.catch(() => undefined);
  return result;
}
