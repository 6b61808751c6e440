import type { Fault } from "../fault.ts";
import { apiOutageFaults } from "./api-outage.ts";
import { badDagFaults } from "./bad-dags.ts";
import { clockFaults } from "./clocks.ts";
import { databaseFaults } from "./database.ts";
import { everyRoleFaults } from "./every-role.ts";
import { exactPointFaults } from "./exact-points.ts";
import { limitFaults } from "./limits.ts";
import { modelFaults } from "./models.ts";
import { processFaults } from "./processes.ts";
import { queueFaults } from "./queue-workers.ts";
import { scheduleFaults } from "./schedules.ts";
import { stormFaults } from "./storms.ts";
import { wireFaults } from "./wire.ts";

/** All faults of the suite. A new fault is a row in a file of this folder; a new file is a line here. */
export const FAULTS: readonly Fault[] = [
  ...processFaults,
  ...wireFaults,
  ...databaseFaults,
  ...clockFaults,
  ...everyRoleFaults,
  ...exactPointFaults,
  ...scheduleFaults,
  ...stormFaults,
  ...badDagFaults,
  ...limitFaults,
  ...modelFaults,
  ...queueFaults,
  ...apiOutageFaults,
].sort((a, b) => a.number - b.number);
