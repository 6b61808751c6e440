import type { RunnerCaller } from "../runner-caller.ts";
import { createBudget } from "./budget.ts";
import { type LookupCache, renderWithLookups } from "./lookup.ts";
import { parseTemplate } from "./parse-template.ts";
import { renderNodes } from "./render-nodes.ts";
import { toText } from "./template-values.ts";
import { createTemplateVariables, type TemplateContext } from "./template-variables.ts";

export type TemplateRenderer = {
  renderText(source: string): Promise<string>;
  /** A lone `{{ expression }}` gives its value; other text is parsed as JSON where it is JSON. */
  renderNative(source: string): Promise<unknown>;
};

/** Whether a string holds anything to render. */
export function isTemplateText(text: string): boolean {
  return text.includes("{{") || text.includes("{%") || text.includes("{#");
}

/** Renders templates of one try. Variables, connections and XComs are asked for once each. */
export function createTemplateRenderer(
  ctx: TemplateContext,
  caller: RunnerCaller,
  options: Readonly<Record<string, unknown>> = {},
): TemplateRenderer {
  const cache: LookupCache = new Map();
  const variables = createTemplateVariables(ctx, caller, cache, options);
  const render = (source: string) => {
    const template = parseTemplate(source);
    return renderWithLookups(cache, () => renderNodes(template, variables, createBudget()));
  };
  return {
    renderText: async (source) => (await render(source)).text,
    async renderNative(source) {
      const { text, chunks } = await render(source.trim());
      const [only] = chunks;
      if (chunks.length === 1 && text === toText(only, createBudget())) return only;
      try {
        return JSON.parse(text);
      } catch {
        return text;
      }
    },
  };
}
