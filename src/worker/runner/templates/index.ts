export { createTemplateRenderer, isTemplateText, type TemplateRenderer } from "./render-template.ts";
export type { TemplateContext } from "./template-variables.ts";
