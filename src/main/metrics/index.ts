export { createMetrics, type ProcessMetrics, silentProcessMetrics } from "./create-metrics.ts";
export { addMetricsRoute } from "./metrics-route.ts";
