export { type HealthPort, type HealthRole, openHealthPort } from "./health-port.ts";
export { healthThresholds } from "./health-thresholds.ts";
