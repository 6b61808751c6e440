import { BaramError, toError } from "../../platform/index.ts";
import { DerivedArg, isPlainObject, MapElement, readDerived, type TaskNode, Template, XComArg } from "../../sdk/runtime.ts";
import { Data, type ElementReader } from "./resolve-mapping.ts";
import type { RunnerCaller } from "./runner-caller.ts";
import { TemplateError } from "./task-failure.ts";
import { createTemplateRenderer, isTemplateText, type TemplateContext, type TemplateRenderer } from "./templates/index.ts";

/**
 * `given`, a task's or notifier's options (of a mapped task, those of the instance), with its template fields rendered, at every depth: strings as templates, XComArgs to their values,
 * `template()` to native values, a function field called with the context. What an XCom holds is never rendered again, so
 * that data cannot become a template.
 * @throws TemplateError naming task field and template.
 */
export async function renderOptions(
  node: Pick<TaskNode, "templateFields">,
  given: object,
  source: RenderSource,
  caller: RunnerCaller,
): Promise<Record<string, unknown>> {
  const { ctx } = source;
  const options: Record<string, unknown> = { ...given };
  let renderer: TemplateRenderer | undefined;
  // Created on first use: most tasks have no template.
  const getRenderer = () => {
    renderer ??= createTemplateRenderer(ctx, caller);
    return renderer;
  };
  for (const field of node.templateFields) {
    const value = options[field];
    if (typeof value === "function") options[field] = await value(ctx);
    else if (value !== undefined) options[field] = await renderValue(value, field, source, getRenderer);
  }
  // An option that is no template field can be mapped over a result, too.
  for (const [field, value] of Object.entries(options)) if (value instanceof Data) options[field] = value.value;
  return options;
}

/** The sources of values: the task's context and, if its group is mapped, the group's elements for this instance. */
export type RenderSource = { ctx: TemplateContext; groupElements: ElementReader };

async function renderValue(
  value: unknown,
  path: string,
  source: RenderSource,
  getRenderer: () => TemplateRenderer,
): Promise<unknown> {
  if (value instanceof Data) return value.value;
  if (value instanceof MapElement) {
    const element = (await source.groupElements())[value.position];
    return element instanceof Data ? element.value : renderValue(element, path, source, getRenderer);
  }
  if (value instanceof DerivedArg)
    return readDerived(value, (arg) => renderValue(arg, path, source, getRenderer) as Promise<unknown>);
  if (value instanceof XComArg) {
    if (source.ctx.xcom === undefined)
      throw new TemplateError(`option ${path} is a task's result, which a DAG's callback has not`, { path });
    return source.ctx.xcom.pull(value.taskId, { key: value.key });
  }
  if (value instanceof Template) return renderText(value.source, path, () => getRenderer().renderNative(value.source));
  if (typeof value === "string") {
    return isTemplateText(value) ? renderText(value, path, () => getRenderer().renderText(value)) : value;
  }
  if (Array.isArray(value)) {
    return Promise.all(value.map((element, index) => renderValue(element, `${path}[${index}]`, source, getRenderer)));
  }
  if (!isPlainObject(value)) return value;
  const entries = Object.entries(value).map(
    async ([key, element]) => [key, await renderValue(element, `${path}.${key}`, source, getRenderer)] as const,
  );
  return Object.fromEntries(await Promise.all(entries));
}

async function renderText(source: string, path: string, render: () => Promise<unknown>): Promise<unknown> {
  try {
    return await render();
  } catch (thrown) {
    const error = toError(thrown);
    // A lost wire or a refused call is not the template's fault, so the error is passed on unchanged.
    if (error instanceof BaramError && error.code !== "TEMPLATE_FAILED") throw error;
    const shortSource = source.length > 200 ? `${source.slice(0, 200)}…` : source;
    throw new TemplateError(`template field ${path}: ${error.message}, in ${JSON.stringify(shortSource)}`, { path }, error);
  }
}
