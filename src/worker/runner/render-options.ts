import { BaramError, toError } from "../../platform/index.ts";
import { isPlainObject, type TaskNode, Template, XComArg } from "../../sdk/runtime.ts";
import type { RunnerCaller } from "./runner-caller.ts";
import { TemplateError } from "./task-failure.ts";
import { createTemplateRenderer, isTemplateText, type TemplateContext, type TemplateRenderer } from "./templates/index.ts";

/**
 * A task's or notifier's options with its template fields rendered, at every depth: strings as templates, XComArgs to their values,
 * `template()` to native values, a function field called with the context. What an XCom holds is never rendered again, so
 * that data cannot become a template.
 * @throws TemplateError naming task field and template.
 */
export async function renderOptions(
  node: Pick<TaskNode, "options" | "templateFields">,
  ctx: TemplateContext,
  caller: RunnerCaller,
): Promise<Record<string, unknown>> {
  const options: Record<string, unknown> = { ...node.options };
  let renderer: TemplateRenderer | undefined;
  // Made on first need: most tasks have no template, and the library costs 20 ms of a process's start.
  const getRenderer = async () => {
    renderer ??= await createTemplateRenderer(ctx, caller);
    return renderer;
  };
  for (const field of node.templateFields) {
    const value = options[field];
    if (typeof value === "function") options[field] = await value(ctx);
    else if (value !== undefined) options[field] = await renderValue(value, field, ctx, getRenderer);
  }
  return options;
}

async function renderValue(
  value: unknown,
  path: string,
  ctx: TemplateContext,
  getRenderer: () => Promise<TemplateRenderer>,
): Promise<unknown> {
  if (value instanceof XComArg) {
    if (ctx.xcom === undefined)
      throw new TemplateError(`option ${path} is a task's result, which a DAG's callback has not`, { path });
    return ctx.xcom.pull(value.taskId, { key: value.key });
  }
  if (value instanceof Template)
    return renderText(value.source, path, async () => (await getRenderer()).renderNative(value.source));
  if (typeof value === "string") {
    return isTemplateText(value) ? renderText(value, path, async () => (await getRenderer()).renderText(value)) : value;
  }
  if (Array.isArray(value)) {
    return Promise.all(value.map((element, index) => renderValue(element, `${path}[${index}]`, ctx, getRenderer)));
  }
  if (!isPlainObject(value)) return value;
  const entries = Object.entries(value).map(
    async ([key, element]) => [key, await renderValue(element, `${path}.${key}`, ctx, getRenderer)] as const,
  );
  return Object.fromEntries(await Promise.all(entries));
}

async function renderText(source: string, path: string, render: () => Promise<unknown>): Promise<unknown> {
  try {
    return await render();
  } catch (thrown) {
    const error = toError(thrown);
    // A lost wire or a refused call is not the template's fault, and keeps its own name.
    if (error instanceof BaramError && error.code !== "TEMPLATE_FAILED") throw error;
    const shortSource = source.length > 200 ? `${source.slice(0, 200)}…` : source;
    throw new TemplateError(`template field ${path}: ${error.message}, in ${JSON.stringify(shortSource)}`, { path }, error);
  }
}
