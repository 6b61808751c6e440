export { createApiCarrier } from "./api-carrier.ts";
export { createLineSplitter, type LineSplitter } from "./line-splitter.ts";
export { createFolderLogStore, type LogPage, type LogStore } from "./log-reader.ts";
export { createLogReceiver, type LogPiece, type LogReceiver } from "./log-receiver.ts";
export { createLogShipper, type LogCarrier, type LogShipper } from "./log-shipper.ts";
export { createFolderSink, type LogSink } from "./log-sink.ts";
export { createLogWriter, type LogLine, type LogWriter, type LogWriterOptions } from "./log-writer.ts";
export { createMasker, isSensitiveName, type Masker } from "./masker.ts";
export { createThreadedFolderSink } from "./threaded-folder-sink.ts";
