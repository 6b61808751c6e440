import type { Fault } from "../fault.ts";
import { processFaults } from "./processes.ts";

/** Every fault of the suite. A new one is a row in a file of this folder, and that file a line here. */
export const FAULTS: readonly Fault[] = [...processFaults].sort((a, b) => a.number - b.number);
