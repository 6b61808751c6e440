import { DAG_DEFAULTS, type DagDefaults } from "../../contracts/index.ts";

// Ambient, like the DAG whose body is running: the installation's options cannot be passed to an author's `cron()`.
let current: DagDefaults = DAG_DEFAULTS;

/** The installation's defaults for options that a DAG file does not set. */
export function dagDefaults(): DagDefaults {
  return current;
}

/** Applies to the whole process, which reads DAG files for one installation. If it is not called, Baram's own defaults apply. */
export function setDagDefaults(defaults: DagDefaults): void {
  current = defaults;
}
