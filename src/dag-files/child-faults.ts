import type { ChildMessage } from "./child/messages.ts";
import type { ChildEnd } from "./child-process.ts";
import { DagFileError } from "./import-error.ts";
import { findPosition, readableStack } from "./stack-position.ts";

type Place = { file: string; moduleFolder: string; output: string };

/** The import error for a child that ended without an answer. */
export function describeEnd(end: ChildEnd, place: Place & { memoryMb: number }): DagFileError {
  const { file, output } = place;
  const detail = output;
  if (end.fault) return new DagFileError("internal", end.fault, { file, detail });
  if (end.memoryBytes !== null || /heap out of memory|Reached heap limit/.test(output)) {
    const used = end.memoryBytes === null ? "" : ` (${Math.round(end.memoryBytes / 1024 / 1024)} MB were in use)`;
    const message = `loading the file took more than ${place.memoryMb} MB of memory and was stopped${used}; load data inside tasks`;
    return new DagFileError("memory", message, { file, detail: end.memoryBytes === null ? null : detail });
  }
  if (end.signal === null && end.code !== null && end.code < 128) {
    return new DagFileError("exit", exitMessage(end.code), { file, detail });
  }
  const how = end.signal ? `signal ${end.signal}` : `exit code ${end.code}`;
  return new DagFileError("crash", `loading the file crashed its process (${how})`, { file, detail });
}

/** The import error for an error that a child reported. */
export function describeThrown(message: ChildMessage, { file, moduleFolder, output }: Place): DagFileError {
  if (message.type === "threw") {
    const { name, message: text, stack } = message.error;
    const position = findPosition(stack ?? "", moduleFolder);
    const detail = [stack ? readableStack(stack, moduleFolder) : "", output].join("\n").trim();
    return new DagFileError("threw", `${name}: ${text}`, { file, ...position, detail });
  }
  if (message.type === "exiting") {
    const position = findPosition(message.stack ?? "", moduleFolder);
    return new DagFileError("exit", exitMessage(message.code), { file, ...position, detail: output });
  }
  return new DagFileError("internal", `the evaluation process sent an unexpected message (${message.type})`, {
    file,
    detail: output,
  });
}

function exitMessage(code: number): string {
  return `the file ended its process with exit code ${code} while it was loaded; a DAG file must not call process.exit`;
}
