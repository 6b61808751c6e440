import { DagDefinitionError } from "../definition-error.ts";
import type { LooseEnd } from "../graph/types.ts";
import type { TriggerClass } from "../trigger/trigger.ts";
import type { DagDefinition } from "./dag-definition.ts";

// `dag()` has no parameter to hand its result to, so a file's load is one ambient collection; loads wait for each other.
type Collection = { dags: Map<string, DagDefinition>; triggers: Map<string, TriggerClass>; looseEnds: LooseEnd[] };
let collecting: Collection | undefined;
let lastLoad: Promise<unknown> = Promise.resolve();

/** @throws DagDefinitionError DAG_DUPLICATE_ID: two DAGs of one id in the file that loads. */
export function registerDag(dag: DagDefinition): void {
  if (collecting === undefined) return;
  if (collecting.dags.has(dag.dagId)) {
    throw new DagDefinitionError("DAG_DUPLICATE_ID", `the file defines two DAGs with the id "${dag.dagId}"`, {
      dagId: dag.dagId,
    });
  }
  collecting.dags.set(dag.dagId, dag);
}

/** @throws DagDefinitionError TRIGGER_INVALID: two trigger classes of one name in the file that loads. */
export function noteTrigger(name: string, trigger: TriggerClass): void {
  if (collecting === undefined) return;
  if ((collecting.triggers.get(name) ?? trigger) !== trigger) {
    throw new DagDefinitionError("TRIGGER_INVALID", `the file registers two triggers with the name "${name}"`, { name });
  }
  collecting.triggers.set(name, trigger);
}

const looseEndOf = new WeakMap<object, LooseEnd>();

/** What the file that loads made outside of its DAGs' bodies, to be used in them, or exported as `value` for other files. */
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

/** What the DAG's own module and those it imports made and never used, in no DAG. */
export function looseEndsOf(dag: DagDefinition): readonly LooseEnd[] {
  return (looseEndsOfDag.get(dag) ?? []).filter(({ madeAt }) => madeAt !== null);
}

const triggersOfDag = new WeakMap<DagDefinition, ReadonlyMap<string, TriggerClass>>();

/** The triggers that the DAG's own module registered, by name. */
export function triggersOf(dag: DagDefinition): ReadonlyMap<string, TriggerClass> {
  return triggersOfDag.get(dag) ?? new Map();
}

/**
 * The DAGs that `dag()` defines while `load` runs, in that order. Concurrent calls run one after another. A module that
 * was imported before is not evaluated again, so it defines nothing the second time: keep what the first call returned.
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
