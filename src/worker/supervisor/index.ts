export { type ApiClient, ApiRefusal, createApiClient } from "./api-client.ts";
export type { RemoteLogs, SupervisorOptions } from "./options.ts";
export { probeAccount } from "./probe-account.ts";
export { createSupervisor, type Supervisor, type SupervisorEvents, type WorkloadEnd } from "./supervisor.ts";
