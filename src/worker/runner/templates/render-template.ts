import type nunjucks from "nunjucks";
import type { RunnerCaller } from "../runner-caller.ts";
import { compileTemplate } from "./compile-template.ts";
import { type LookupCache, PendingLookup, renderWithLookups } from "./lookup.ts";
import { createRuntime, type RenderTrace, toText } from "./template-runtime.ts";
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
export async function createTemplateRenderer(
  ctx: TemplateContext,
  caller: RunnerCaller,
  options: Readonly<Record<string, unknown>> = {},
): Promise<TemplateRenderer> {
  const { default: engine } = await import("nunjucks");
  const env = createEnvironment(engine);
  const cache: LookupCache = new Map();
  const variables = createTemplateVariables(ctx, caller, cache, options);
  const render = (source: string) => renderWithLookups(cache, () => renderOnce(engine, env, source, variables));
  return {
    renderText: async (source) => (await render(source)).text,
    async renderNative(source) {
      const { text, trace } = await render(source.trim());
      const [only, ...others] = trace.chunks;
      if (trace.chunks.length > 0 && others.length === 0 && text === toText(only)) return only;
      try {
        return JSON.parse(text);
      } catch {
        return text;
      }
    },
  };
}

function createEnvironment(engine: typeof nunjucks): nunjucks.Environment {
  const env = new engine.Environment(null, { autoescape: false, throwOnUndefined: true });
  env.addFilter("tojson", (value: unknown) => JSON.stringify(value));
  env.addFilter("ds", (date: unknown) => toText(date).slice(0, 10));
  env.addFilter("ds_nodash", (date: unknown) => toText(date).slice(0, 10).replaceAll("-", ""));
  env.addFilter("ts", (date: unknown) => toText(date));
  const getFilter = env.getFilter.bind(env);
  // Nunjucks' filters make "" of an undefined value, which would hide a misspelled name.
  env.getFilter = (name: string) => {
    const filter = getFilter(name);
    if (name === "default" || name === "d") return filter;
    return function strictFilter(this: unknown, ...args: unknown[]) {
      if (args[0] === undefined) throw new Error(`the filter ${name} is given a value that is undefined`);
      return filter.apply(this, args);
    };
  };
  return env;
}

function renderOnce(
  engine: typeof nunjucks,
  env: nunjucks.Environment,
  source: string,
  variables: Record<string, unknown>,
): { text: string; trace: RenderTrace } {
  const trace: RenderTrace = { chunks: [], line: 0 };
  const frame: { topLevel: boolean } = new (engine.runtime as unknown as { Frame: new () => { topLevel: boolean } }).Frame();
  frame.topLevel = true;
  let outcome: { error: unknown; text: string | null } = { error: new Error("the template gave nothing"), text: null };
  const run = compileTemplate(engine, source);
  run(env, createScope(env, variables), frame, createRuntime(engine.runtime, trace), (error, text) => {
    outcome = { error, text };
  });
  if (outcome.text !== null && outcome.text !== undefined) return { text: outcome.text, trace };
  if (outcome.error instanceof PendingLookup || trace.line <= 1 || !(outcome.error instanceof Error)) throw outcome.error;
  throw new Error(`line ${trace.line}: ${outcome.error.message}`, { cause: outcome.error });
}

/** The part of nunjucks' Context that compiled templates without inheritance use. */
function createScope(env: nunjucks.Environment, variables: Record<string, unknown>) {
  const own = new Map<string, unknown>();
  const lookup = (name: string): unknown => {
    if (own.has(name)) return own.get(name);
    if (Object.hasOwn(variables, name)) return variables[name];
    try {
      return env.getGlobal(name);
    } catch {
      return undefined;
    }
  };
  return {
    lookup,
    setVariable: (name: string, value: unknown) => void own.set(name, value),
    getVariables: () => ({ ...variables, ...Object.fromEntries(own) }),
    addExport: () => {},
    addBlock: () => {},
    getBlock: () => {
      throw new Error("{% block %} is not supported in task templates");
    },
    getSuper: () => {
      throw new Error("super() is not supported in task templates");
    },
  };
}
