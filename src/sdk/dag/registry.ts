import { DagDefinitionError } from "../definition-error.ts";
import type { LooseEnd } from "../graph/types.ts";
import type { TriggerClass } from "../trigger/trigger.ts";
import type { DagDefinition } from "./dag-definition.ts";

// Collects what `dag()` defines while a file loads. Ambient, since authors need not export their DAGs; so only one file loads at
// a time.
type Collection = { dags: Map<string, DagDefinition>; triggers: Map<string, TriggerClass>; looseEnds: LooseEnd[] };
let collecting: Collection | undefined;
let lastLoad: Promise<unknown> = Promise.resolve();

/** @throws DagDefinitionError DAG_DUPLICATE_ID: two DAGs in the loading file have the same id. */
export function registerDag(dag: DagDefinition): void {
  if (collecting === undefined) return;
  if (collecting.dags.has(dag.dagId)) {
    throw new DagDefinitionError("DAG_DUPLICATE_ID", `the file defines two DAGs with the id "${dag.dagId}"`, {
      dagId: dag.dagId,
    });
  }
  collecting.dags.set(dag.dagId, dag);
}

/** @throws DagDefinitionError TRIGGER_INVALID: two trigger classes in the loading file have the same name. */
export function noteTrigger(name: string, trigger: TriggerClass): void {
  if (collecting === undefined) return;
  if ((collecting.triggers.get(name) ?? trigger) !== trigger) {
    throw new DagDefinitionError("TRIGGER_INVALID", `the file registers two triggers with the name "${name}"`, { name });
  }
  collecting.triggers.set(name, trigger);
}

const looseEndOf = new WeakMap<object, LooseEnd>();

/**
 * Registers a loose end that the loading file created outside of its DAGs' bodies. `value` may still be used in one of them, or
 * exported for other files.
 */
export function noteLooseEnd(looseEnd: LooseEnd, value: object): void {
  collecting?.looseEnds.push(looseEnd);
  looseEndOf.set(value, looseEnd);
}

function useExports(module: unknown): void {
  for (const value of Object.values(Object(module))) {
    const looseEnd = looseEndOf.get(Object(value));
    if (looseEnd !== undefined) looseEnd.madeAt = null;
  }
}

const looseEndsOfDag = new WeakMap<DagDefinition, readonly LooseEnd[]>();

/** Loose ends of the DAG's own module and its imports that no DAG uses. */
export function looseEndsOf(dag: DagDefinition): readonly LooseEnd[] {
  return (looseEndsOfDag.get(dag) ?? []).filter(({ madeAt }) => madeAt !== null);
}

const triggersOfDag = new WeakMap<DagDefinition, ReadonlyMap<string, TriggerClass>>();

/** The triggers that the DAG's own module registered, by name. */
export function triggersOf(dag: DagDefinition): ReadonlyMap<string, TriggerClass> {
  return triggersOfDag.get(dag) ?? new Map();
}

/**
 * Runs `load` and returns the DAGs that `dag()` defines meanwhile, in order. Concurrent calls run one after another. A module
 * that was imported before is not evaluated again and defines nothing the second time: keep the first call's result.
 */
export function collectDags(load: () => Promise<unknown>): Promise<DagDefinition[]> {
  const result = lastLoad.then(async () => {
    const collection: Collection = { dags: new Map(), triggers: new Map(), looseEnds: [] };
    collecting = collection;
    try {
      useExports(await load());
      for (const dag of collection.dags.values()) {
        triggersOfDag.set(dag, collection.triggers);
        looseEndsOfDag.set(dag, collection.looseEnds);
      }
      return [...collection.dags.values()];
    } finally {
      collecting = undefined;
    }
  });
  lastLoad = result.catch(() => undefined);
  return result;
}
