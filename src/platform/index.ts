export * from "./clock.ts";
export * from "./errors.ts";
export * from "./logger.ts";
export * from "./metrics/index.ts";
export * from "./module-cache.ts";
export * from "./process-tree.ts";
export * from "./sleep.ts";
export * from "./tokens.ts";
