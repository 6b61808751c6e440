import { DagDefinitionError } from "../definition-error.ts";
import { addEdge, type Link, toLinks } from "./linkable.ts";

/**
 * Makes tasks run one after another: `chain(a, b, c)`. A list next to a single task fans out or in. Two adjacent lists must be
 * equally long and are linked pairwise, as in Airflow.
 * @throws DagDefinitionError INVALID_CHAIN
 */
export function chain(...steps: readonly (Link | readonly Link[])[]): void {
  for (let index = 1; index < steps.length; index += 1) joinSteps(steps[index - 1] ?? [], steps[index] ?? [], index);
}

/** Makes every task of `from` run before every task of `to`. */
export function crossDownstream(from: readonly Link[], to: readonly Link[]): void {
  const targets = toLinks("crossDownstream()", to);
  for (const source of toLinks("crossDownstream()", from)) for (const target of targets) addEdge(source, target);
}

function joinSteps(left: Link | readonly Link[], right: Link | readonly Link[], position: number): void {
  const sources = toLinks("chain()", left);
  const targets = toLinks("chain()", right);
  if (Array.isArray(left) && Array.isArray(right)) {
    if (sources.length !== targets.length) {
      throw new DagDefinitionError(
        "INVALID_CHAIN",
        `chain(): the lists at positions ${position} and ${position + 1} have ${sources.length} and ${targets.length} tasks: make them equally long, or use crossDownstream()`,
      );
    }
    sources.forEach((source, index) => {
      const target = targets[index];
      if (target !== undefined) addEdge(source, target);
    });
    return;
  }
  for (const source of sources) for (const target of targets) addEdge(source, target);
}
