export { createSupervisor, type Supervisor, type SupervisorEvents, type SupervisorOptions } from "./supervisor.ts";
