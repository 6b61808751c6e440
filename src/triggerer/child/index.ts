// For rooms that run triggers of DAG files in a process of their own: `baram dags test`.
export { runUserTrigger } from "./run-user-trigger.ts";
export { createTriggerContext } from "./trigger-context.ts";
