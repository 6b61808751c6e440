import { BUILTIN_TRIGGER_PREFIX } from "../../contracts/index.ts";
import { noteTrigger } from "../dag/registry.ts";
import { DagDefinitionError } from "../definition-error.ts";
import { BaseTrigger, type Trigger, type TriggerClass } from "./trigger.ts";

const names = new WeakMap<object, string>();

/**
 * Registers a trigger of this DAG file under a name, so that the triggerer finds it in the file's module. Call it while the file
 * loads, next to the class.
 * @throws DagDefinitionError TRIGGER_INVALID
 */
export function registerTrigger(name: string, trigger: TriggerClass): void {
  if (!/^[A-Za-z0-9_.-]{1,200}$/.test(name) || name.startsWith(BUILTIN_TRIGGER_PREFIX)) {
    throw new DagDefinitionError(
      "TRIGGER_INVALID",
      `registerTrigger(): ${JSON.stringify(name)} is no name for a trigger: use 1 to 200 of A-Z a-z 0-9 _ . - and do not begin with ${BUILTIN_TRIGGER_PREFIX}`,
    );
  }
  if (typeof trigger !== "function" || !(trigger.prototype instanceof BaseTrigger)) {
    throw new DagDefinitionError(
      "TRIGGER_INVALID",
      `registerTrigger("${name}"): its second argument must be a class that extends BaseTrigger`,
    );
  }
  names.set(trigger, name);
  noteTrigger(name, trigger);
}

/** The name under which the triggerer finds the trigger, or undefined if its class was never registered. */
export function classpathOf(trigger: Trigger<object>): string | undefined {
  const made: object = trigger.constructor;
  if ("classpath" in made && typeof made.classpath === "string" && !(trigger instanceof BaseTrigger)) return made.classpath;
  return names.get(made);
}
