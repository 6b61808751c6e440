export { createTemplateRenderer, isTemplateText, type TemplateRenderer } from "./render-template.ts";
