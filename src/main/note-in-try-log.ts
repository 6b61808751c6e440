import type { Config } from "../config/index.ts";
import { createMasker, type Logger } from "../platform/index.ts";
import type { SchedulerResources } from "../scheduler/index.ts";
import { createFolderSink, createLogWriter, platformLine } from "../task-logs/index.ts";

/** Adds the platform's own lines to tries' logs, in the folder that the API reads. Never rejects. */
export function createTryLogNote(config: Pick<Config, "logging">, logger: Logger): SchedulerResources["noteInTryLog"] {
  const { max_line_bytes: maxLineBytes, max_file_bytes: maxFileBytes } = config.logging;
  // The platform's lines hold no secrets: what they quote of a try was masked by its supervisor.
  const masker = createMasker();
  const sink = createFolderSink(config.logging.base_log_folder);
  return async (path, message, { level = "error", isAnew = false } = {}) => {
    try {
      const onFault = (error: Error) => logger.error({ path, error: error.message }, "a task's log cannot be written");
      const writer = createLogWriter({
        sink,
        path,
        maxLineBytes,
        maxFileBytes,
        masker: () => masker,
        isAnew: () => isAnew,
        onFault,
      });
      writer.write(platformLine(level, message));
      await writer.flush();
    } catch (error) {
      logger.error({ path, error: String(error) }, "a task's log cannot be written");
    }
  };
}
