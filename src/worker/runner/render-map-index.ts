import { LABEL_MAX, type Outcome } from "../../contracts/index.ts";
import { type Masker, toError } from "../../platform/index.ts";
import type { TaskContext } from "../../sdk/index.ts";
import type { TaskNode } from "../../sdk/runtime.ts";
import type { RunnerCaller } from "./runner-caller.ts";
import { describeError } from "./task-failure.ts";
import { createTemplateRenderer } from "./templates/index.ts";

/**
 * Labels a mapped instance that has run, by its task's `mapIndexTemplate`. As in Airflow, a template that cannot be rendered fails
 * a task that succeeded, and is ignored if the task has already failed.
 */
export async function renderMapIndex(
  outcome: Outcome,
  node: TaskNode,
  ctx: TaskContext,
  options: Readonly<Record<string, unknown>>,
  { caller, masker }: { caller: RunnerCaller; masker: Masker },
): Promise<Outcome> {
  const { mapIndexTemplate } = node.settings;
  if (mapIndexTemplate === null || outcome.state === "up_for_reschedule" || outcome.state === "deferred") return outcome;
  try {
    const renderer = createTemplateRenderer(ctx, caller, options);
    const text = masker.mask(await renderer.renderText(mapIndexTemplate));
    const name = text.replaceAll("\u0000", "").slice(0, LABEL_MAX);
    return { ...outcome, renderedMapIndex: name };
  } catch (thrown) {
    if (outcome.state !== "success") return outcome;
    const { message, stack } = describeError(toError(thrown));
    const error = { name: "TemplateError", message: `mapIndexTemplate ${JSON.stringify(mapIndexTemplate)}: ${message}`, stack };
    return { state: "failed", retryable: true, error, xcoms: [] };
  }
}
