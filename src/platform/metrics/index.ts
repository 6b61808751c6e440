export * from "./metric-table.ts";
export * from "./metrics.ts";
