import type { Fault } from "../fault.ts";
import { databaseFaults } from "./database.ts";
import { processFaults } from "./processes.ts";
import { wireFaults } from "./wire.ts";

/** Every fault of the suite. A new one is a row in a file of this folder, and that file a line here. */
export const FAULTS: readonly Fault[] = [...processFaults, ...wireFaults, ...databaseFaults].sort((a, b) => a.number - b.number);
