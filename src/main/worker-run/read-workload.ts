import { readFileSync, statSync } from "node:fs";
import { z } from "zod";
import { workloadFromEnvironment } from "../../config/index.ts";
import { WORKLOAD_MAX_BYTES, type Workload, workloadSchema } from "../../contracts/index.ts";
import { BaramError, toError } from "../../platform/index.ts";

/**
 * Reads a workload from `given`: its JSON, `@` and a file's path, or `env` for BARAM_WORKLOAD. Throws `workload_invalid`; messages
 * never contain the text, which holds a token.
 */
export function readWorkload(given: string): Workload {
  const { text, place } = textOf(given);
  return parseWorkload(text, place);
}

/** `place`: shown in messages instead of the text. */
function parseWorkload(text: string, place: string): Workload {
  const sizeBytes = Buffer.byteLength(text);
  if (sizeBytes > WORKLOAD_MAX_BYTES) throw tooLarge(place, sizeBytes);
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch {
    throw invalid(`${place} is not JSON. Pass on the executor's document as it is.`);
  }
  const checked = workloadSchema.safeParse(parsed);
  if (checked.success) return checked.data;
  const faults = z
    .prettifyError(checked.error)
    .replaceAll(/\s*\n\s*/g, " ")
    .slice(0, 500);
  throw invalid(`${place} is not a workload of this version of Baram: ${faults}`);
}

function textOf(given: string): { text: string; place: string } {
  if (given === "env") {
    const text = workloadFromEnvironment();
    if (text === null) throw invalid("The environment variable BARAM_WORKLOAD is not set. Put the workload's JSON into it.");
    return { text, place: "BARAM_WORKLOAD" };
  }
  if (!given.startsWith("@")) return { text: given, place: "What --workload gives" };
  const path = given.slice(1);
  try {
    // Checked before it is read: the path may be anything.
    const { size } = statSync(path);
    if (size > WORKLOAD_MAX_BYTES) throw tooLarge(`The file ${path}`, size);
    return { text: readFileSync(path, "utf8"), place: `The file ${path}` };
  } catch (error) {
    if (error instanceof BaramError) throw error;
    throw invalid(`The workload's file ${path} cannot be read: ${toError(error).message}.`);
  }
}

function tooLarge(place: string, sizeBytes: number): BaramError {
  return invalid(`${place} has ${sizeBytes} bytes; a workload has ${WORKLOAD_MAX_BYTES} at most. Make executorConfig smaller.`);
}

function invalid(message: string): BaramError {
  return new BaramError("workload_invalid", message);
}
