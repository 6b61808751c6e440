import { allImportErrors } from "../../../store/index.ts";
import { ExitCode } from "../../exit-codes.ts";
import { formatRows } from "../../output/index.ts";
import { withStore } from "../../session.ts";
import type { Terminal } from "../../terminal.ts";
import type { OutputOptions } from "../flags.ts";

/** Exits with code 1 if there are errors, as in Airflow, so that a CI pipeline can check its DAG files. */
export function listErrors(terminal: Terminal, { output }: OutputOptions): Promise<void> {
  return withStore(terminal, async ({ store }) => {
    const rows = (await allImportErrors(store)).map((one) => ({
      bundle_name: one.bundleName,
      filepath: one.filename,
      file: one.file,
      line: one.line,
      column: one.column,
      kind: one.kind,
      error: one.message,
      stack_trace: one.stacktrace,
      timestamp: one.timestamp,
    }));
    terminal.print(formatRows(rows, ["bundle_name", "filepath", "line", "column", "kind", "error"], output));
    if (rows.length > 0) process.exitCode = ExitCode.Failure;
  });
}
