import type { PlanSeed, SerializedDag, TimetablePlan } from "../contracts/index.ts";
import type { BundledModule } from "../platform/index.ts";
import type { Build } from "./build.ts";

/**
 * A source of DAG files: a name that is stored in the database, and a folder. If two bundles define the same dagId, the earlier
 * one wins.
 */
export type DagBundle = {
  name: string;
  path: string;
  /** Files that are ignored, relative to the folder. */
  leaveOut?: readonly string[];
};

/** A DAG file: the name of its bundle and its path below the bundle's folder, with `/`. */
export type DagFileRef = { bundleName: string; relativePath: string };

/** The stored facts about a file, so that an unchanged one is not evaluated again after a restart. */
export type KnownDagFile = DagFileRef & {
  /** As last passed to `saveDags` or `saveImportError`. */
  inputsHash: string;
  inputs: string[];
  /** The active DAGs that the file owns. */
  dagIds: string[];
  hasImportError: boolean;
  /** The build that saved the file; empty = saved before builds were recorded, older than any. */
  build: Build;
};

/** The result of a scan of a bundle. */
export type BundleListing = {
  bundleName: string;
  /**
   * The files that exist, and known files in folders that could not be read. null: the bundle's own folder could not be read, and
   * this dag-processor's previous listing remains valid.
   */
  files: readonly string[] | null;
  /** Files that this dag-processor has seen and that were deleted since. */
  gone: readonly string[];
};

/**
 * `toLoad`: files of the listing that must be loaded whatever their hash is. `forgotten`: files that no dag-processor has any
 * more.
 */
export type ListedFiles = { toLoad: DagFileRef[]; forgotten: DagFileRef[] };

/** The inputs of the hash: paths relative to the bundle's folder (helpers may be outside of it: `../`). */
export type DagFileInputs = { inputs: string[]; inputsHash: string };

export const IMPORT_ERROR_KINDS = [
  "unreadable",
  "syntax",
  "unresolved_import",
  "missing_package",
  "threw",
  "timeout",
  "memory",
  "exit",
  "crash",
  "invalid_dag",
  "duplicate_dag",
  "too_large",
  "internal",
] as const;
export type ImportErrorKind = (typeof IMPORT_ERROR_KINDS)[number];

/** Why a file could not be loaded. `line` and `column` start at 1; null if there is no position. */
export type ImportErrorFacts = {
  kind: ImportErrorKind;
  message: string;
  /** The file of the position, relative to the bundle: a helper or the DAG file itself. */
  file: string;
  line: number | null;
  column: number | null;
  /** The end of the stack or of the file's output, at most 8 KB; null if there are no further details. */
  detail: string | null;
};

/** `build`: the build that saves. `isForced`: also overwrites the result of a newer build. */
type Save = DagFileRef & DagFileInputs & { build: Build; isForced: boolean };

export type SaveDags = Save & {
  module: BundledModule;
  /** Text of the DAG file itself, for the code view. */
  source: string;
  /** `plan`: the next runs of a DAG with a custom timetable; they replace the previous plan. */
  dags: { dag: SerializedDag; hash: string; plan: TimetablePlan | null }[];
  /** Files from which this one may take DAGs although they still define them. */
  takeFrom: readonly DagFileRef[];
};

/** `waitsFor`: the DAG whose ownership by another file is the reason of the error. */
export type SaveImportError = Save & { error: ImportErrorFacts; waitsFor: string | null };

/**
 * `saved`: `created` are new DAGs; `released` are DAGs that the file no longer defines and that another file may own now. `left`:
 * nothing was written, since a newer Baram has saved the same inputs. `taken`: nothing was written, since the owner of one of the
 * DAGs still defines it.
 */
export type SaveOutcome =
  | { type: "saved"; created: string[]; released: string[] }
  | { type: "left" }
  | { type: "taken"; dagId: string; owner: DagFileRef };

/**
 * Stores the results of one dag-processor. Every method is one transaction and safe to repeat: several dag-processors may save
 * the same file. A BaramError of code `dag_unsaved` is the file's fault and becomes its import error; after any other error the
 * file is tried again at the next scan.
 */
export type DagFileStore = {
  /** All files of these bundles that were saved and not forgotten. */
  knownFiles(bundleNames: string[]): Promise<KnownDagFile[]>;
  /**
   * Stores the result of a scan of a bundle. Forgets the files that no living dag-processor has, with their import errors, and
   * makes their DAGs stale: those in `gone` immediately, others after they have been missing for the threshold. Returns which
   * files of the listing must be loaded: those whose stored state was changed by others (their DAG was deleted, made stale or
   * taken, or their import error was removed), those that an older `build` saved, and those that wait for a DAG that is free now.
   */
  listFiles(listing: BundleListing, build: Build): Promise<ListedFiles>;
  /** This dag-processor stops: its listings are no longer valid. */
  endListings(): Promise<void>;
  /** Files of these bundles with a DAG whose planned runs are half used up, or whose timetable ended an hour ago. */
  filesToPlan(bundleNames: string[]): Promise<DagFileRef[]>;
  /** Where the plans of the file's custom timetables start, by dagId; DAGs without runs are left out. */
  planSeeds(file: DagFileRef): Promise<Record<string, PlanSeed>>;
  /**
   * Stores the module under its hash, and creates a version of each DAG if the pair of DAG hash and module hash is new. Makes
   * these DAGs active and owned by this file, and all other DAGs of this file stale. Stores the inputs and removes the file's
   * import error. A file without DAGs is saved with an empty list. A DAG becomes owned by this file if no living dag-processor
   * has its owner, or if the owner no longer defines it.
   */
  saveDags(save: SaveDags): Promise<SaveOutcome>;
  /**
   * Replaces the file's import error and stores the inputs. The file's DAGs and their last good version do not change. false:
   * nothing was written, since a newer Baram has saved the same inputs.
   */
  saveImportError(save: SaveImportError): Promise<boolean>;
};
