import { DAG_DEFAULTS, type DagDefaults } from "../../contracts/index.ts";

// Ambient like the DAG whose body runs: an author's `cron()` cannot be handed the installation's options.
let current: DagDefaults = DAG_DEFAULTS;

/** What this installation fills in where the DAG file says nothing. */
export function dagDefaults(): DagDefaults {
  return current;
}

/** For the whole process, which reads DAG files for one installation; without it Baram's own defaults hold. */
export function setDagDefaults(defaults: DagDefaults): void {
  current = defaults;
}
