import { requireDagsFolder } from "../../../main/dags-folder.ts";
import { createConfiguredDagProcessor } from "../../../main/parts/dag-processor-part.ts";
import { ExitCode } from "../../exit-codes.ts";
import { formatRecord } from "../../output/index.ts";
import { withStore } from "../../session.ts";
import type { Terminal } from "../../terminal.ts";
import type { OutputOptions } from "../flags.ts";

/** Exits with code 1 if a file could not be loaded. */
export function reserialize(terminal: Terminal, { output }: OutputOptions): Promise<void> {
  return withStore(terminal, async ({ store, config, logger, isEmbedded }) => {
    requireDagsFolder(config);
    // The examples belong to a standalone installation, which is one with an embedded database.
    const processor = createConfiguredDagProcessor(config, store, logger, { withExamples: isEmbedded });
    try {
      const { files, failed } = await processor.processOnce({ force: true });
      terminal.print(formatRecord({ files, failed }, output));
      if (failed === 0) return;
      terminal.note(`${failed} DAG file(s) could not be loaded: see "baram dags list-import-errors".`);
      process.exitCode = ExitCode.Failure;
    } finally {
      await processor.stop();
    }
  });
}
