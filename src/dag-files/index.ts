export { type Build, buildOf } from "./build.ts";
export { bundleDagFile, type DagFileBundle } from "./bundle-dag-file.ts";
export type {
  BundleListing,
  DagBundle,
  DagFileInputs,
  DagFileRef,
  DagFileStore,
  ImportErrorFacts,
  ImportErrorKind,
  KnownDagFile,
  ListedFiles,
  SaveDags,
  SaveImportError,
  SaveOutcome,
} from "./contract.ts";
export {
  createDagProcessor,
  type DagProcessor,
  type DagProcessorOptions,
  type DagProcessorResources,
  type ProcessorStats,
  type ProcessSummary,
} from "./dag-processor.ts";
export type { FileOrder } from "./file-order.ts";
export { readRegularFile } from "./file-reads.ts";
export { type FoundDagFiles, findDagFiles } from "./find-dag-files.ts";
export { DagFileError } from "./import-error.ts";
export type { LoadDagFileOptions, LoadedDag } from "./load-dag-file.ts";
export { findPosition } from "./stack-position.ts";
