export { createMetrics, type ProcessMetrics, silentProcessMetrics } from "./create-metrics.ts";
export { addMetricsRoute, mayScrape } from "./metrics-route.ts";
