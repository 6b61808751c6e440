import { BaramError } from "../platform/index.ts";
import type { ImportErrorFacts, ImportErrorKind } from "./contract.ts";

const MAX_DETAIL_CHARS = 8 * 1024;
const MAX_MESSAGE_CHARS = 2_000;

/** A DAG file that cannot be loaded: `error` is shown and stored. Code `dag_file_invalid`. */
export class DagFileError extends BaramError {
  readonly error: ImportErrorFacts;

  constructor(
    kind: ImportErrorKind,
    message: string,
    place: Partial<Omit<ImportErrorFacts, "kind" | "message">> & { file: string },
  ) {
    super("dag_file_invalid", message, { kind, ...place });
    this.name = "DagFileError";
    this.error = {
      kind,
      message: headOf(message, MAX_MESSAGE_CHARS),
      file: place.file,
      line: place.line ?? null,
      column: place.column ?? null,
      detail: place.detail ? tailOf(place.detail, MAX_DETAIL_CHARS) : null,
    };
  }
}

function headOf(text: string, maxChars: number): string {
  return text.length <= maxChars ? text : `${text.slice(0, maxChars)}…`;
}

function tailOf(text: string, maxChars: number): string {
  return text.length <= maxChars ? text : `…${text.slice(-maxChars)}`;
}
