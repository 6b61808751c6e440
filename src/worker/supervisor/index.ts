export type { SupervisorOptions } from "./options.ts";
export { createSupervisor, type Supervisor, type SupervisorEvents } from "./supervisor.ts";
