import { type Masker, truncateLine } from "../platform/index.ts";
import { type LogLine, PLATFORM_LOGGER, platformLine } from "./log-line.ts";
import type { LogSink } from "./log-sink.ts";

export type LogWriter = {
  write(line: LogLine): void;
  /** Resolves when everything written so far is in the file. Never rejects: a log that cannot be written does not fail a task. */
  flush(): Promise<void>;
  /** A new object whenever the file may have changed. */
  readonly written: () => WrittenLog;
};

/** The state of a log as its writer knows it. */
export type WrittenLog = {
  /** The size of the file after the last write; null if it is unknown and must be read from the file. */
  readonly sizeBytes: number | null;
  /** The last bytes of the file, which need not be read from it. */
  readonly tail: Buffer;
};

export type LogWriterOptions = {
  sink: LogSink;
  path: string;
  maxLineBytes: number;
  maxFileBytes: number;
  /** The masker of the process whose log this is; asked for each line, since a try may be given a process later. */
  masker: () => Masker;
  /**
   * Called before the first text is written: whether this writer starts the log, see `AppendText`. Default: it appends to an
   * existing one.
   */
  isAnew?: () => boolean;
  onFault: (error: Error) => void;
};

/** Maximum delay of a line: a running task's log can be followed without a write for each line. */
const FLUSH_MS = 200;
const FLUSH_BYTES = 64 * 1024;
/** With more bytes than this in memory the disk is too slow: further lines are dropped and counted. */
const BACKLOG_MAX_BYTES = 4 * 1024 * 1024;
/** What the platform says of a try (how it ended, and why) has room of its own behind a flood of the task's lines. */
const OWN_ROOM_BYTES = 64 * 1024;

/** A longer end of a file is not kept in memory: for a try that writes so much, the file is read. */
const TAIL_MAX_BYTES = 32 * 1024;

/** Space for the marker of a line that was truncated when it was read. */
const MARK_BYTES = 100;

/** Appends NDJSON lines to the log of one try, with masked secrets and within the size limits. Throws `log_path_invalid`. */
export function createLogWriter(options: LogWriterOptions): LogWriter {
  const append = options.sink.open(options.path);
  let waiting: string[] = [];
  let waitingBytes = 0;
  let writtenBytes = 0;
  let droppedLines = 0;
  /** Lines that could not be written and are not reported in the log yet. */
  let lostLines = 0;
  let isFull = false;
  let hasBegun = false;
  let written: WrittenLog = { sizeBytes: null, tail: Buffer.alloc(0) };
  let timer: NodeJS.Timeout | null = null;
  let writing: Promise<unknown> = Promise.resolve();

  const enqueue = (line: LogLine) => {
    const text = `${JSON.stringify(line)}\n`;
    waiting.push(text);
    waitingBytes += text.length;
    writtenBytes += text.length;
  };
  const drain = (isLast: boolean) => {
    if (timer) clearTimeout(timer);
    timer = null;
    if (droppedLines > 0 && (isLast || waitingBytes < BACKLOG_MAX_BYTES)) {
      enqueue(platformLine("warn", `… [${droppedLines} lines dropped: the log could not be written as fast as it grew]`));
      droppedLines = 0;
    }
    const toldLines = lostLines;
    if (toldLines > 0 && waiting.length > 0) {
      lostLines = 0;
      enqueue(platformLine("warn", `… [${toldLines} lines lost before this: they could not be written]`));
    }
    const lines = waiting.length;
    const batch = waiting.join("");
    waiting = [];
    if (batch === "") return;
    const isAnew = !hasBegun && (options.isAnew?.() ?? false);
    hasBegun = true;
    // Both resolve when the write has ended, successfully or not.
    writing = Promise.all([
      writing,
      append(batch, isAnew)
        .then(
          (sizeBytes) => {
            written = addTo(written, batch, sizeBytes);
          },
          (error: Error) => {
            // The file may contain a part of the text.
            written = { sizeBytes: null, tail: Buffer.alloc(0) };
            lostLines += toldLines > 0 ? toldLines + lines - 1 : lines;
            options.onFault(error);
          },
        )
        .then(() => {
          waitingBytes -= batch.length;
        }),
    ]);
  };
  return {
    written: () => written,
    write(line) {
      const roomBytes = line.logger === PLATFORM_LOGGER ? OWN_ROOM_BYTES : 0;
      if (isFull && writtenBytes > options.maxFileBytes + roomBytes) return;
      if (waitingBytes > BACKLOG_MAX_BYTES + roomBytes) {
        droppedLines++;
        return;
      }
      enqueue(maskLine(line, options.masker(), options.maxLineBytes + MARK_BYTES));
      if (!isFull && writtenBytes > options.maxFileBytes) {
        isFull = true;
        enqueue({
          ...platformLine("warn", `… [log truncated: it reached ${options.maxFileBytes} bytes ([logging] max_file_bytes)]`),
          timestamp: line.timestamp,
        });
      }
      if (waitingBytes > FLUSH_BYTES) drain(false);
      else timer ??= setTimeout(() => drain(false), FLUSH_MS);
    },
    async flush() {
      drain(true);
      await writing;
    },
  };
}

function addTo(before: WrittenLog, text: string, sizeBytes: number): WrittenLog {
  const added = Buffer.from(text);
  // Others may have written in between.
  const isNext = before.sizeBytes === sizeBytes - added.length;
  const tail = isNext && before.tail.length + added.length <= TAIL_MAX_BYTES ? Buffer.concat([before.tail, added]) : added;
  return { sizeBytes, tail: tail.length <= TAIL_MAX_BYTES ? tail : Buffer.alloc(0) };
}

/** Each text is masked before it becomes JSON. A text that is truncated gets a mark, by which the masker knows that it was cut. */
function maskLine(line: LogLine, masker: Masker, maxBytes: number): LogLine {
  const { timestamp, level, event, ...rest } = line;
  return { timestamp, level, event: masker.mask(truncateLine(event, maxBytes)), ...masker.redact(rest) };
}
