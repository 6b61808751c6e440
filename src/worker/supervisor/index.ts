export { isOwnRefusal } from "./api-answer.ts";
export { type ApiClient, ApiRefusal, createApiClient } from "./api-client.ts";
export { tokenEndSec } from "./bearer.ts";
export type { RemoteLogs, SupervisorOptions } from "./options.ts";
export { createOutageTeller, type OutageTeller } from "./outage-teller.ts";
export { probeAccount } from "./probe-account.ts";
export { createSupervisor, type Supervisor, type SupervisorEvents } from "./supervisor.ts";
export type { WorkloadEnd } from "./workload-end.ts";
