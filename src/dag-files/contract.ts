import type { PlanSeed, SerializedDag, TimetablePlan } from "../contracts/index.ts";
import type { BundledModule } from "../platform/index.ts";
import type { Build } from "./build.ts";

/** A source of DAG files: a name that the database knows, and a folder. Earlier ones win where two define one dagId. */
export type DagBundle = {
  name: string;
  path: string;
  /** Files, relative to the folder, that are passed over as if they were not there. */
  leaveOut?: readonly string[];
};

/** A DAG file: its bundle's name and its path below the bundle's folder, with `/`. */
export type DagFileRef = { bundleName: string; relativePath: string };

/** What the store remembers of a file, so that an unchanged one is not evaluated again after a restart. */
export type KnownDagFile = DagFileRef & {
  /** As last passed to `saveDags` or `saveImportError`. */
  inputsHash: string;
  inputs: string[];
  /** The active DAGs that the file owns. */
  dagIds: string[];
  hasImportError: boolean;
  /** Of the Baram that saved the file; empty = of one before builds were kept, older than any. */
  build: Build;
};

/** What a scan of a bundle found. */
export type BundleListing = {
  bundleName: string;
  /**
   * The files that are there, and those known to be in folders that could not be looked at. null: the bundle's own folder
   * could not be, and what this dag-processor found in it last stands.
   */
  files: readonly string[] | null;
  /** Files that this dag-processor saw and that were deleted since. */
  gone: readonly string[];
};

/** `toLoad`: files of the listing to be loaded whatever their hash says. `forgotten`: files that no dag-processor has any more. */
export type ListedFiles = { toLoad: DagFileRef[]; forgotten: DagFileRef[] };

/** What the hash was taken over: paths relative to the bundle's folder (helpers may lie above it: `../`). */
export type DagFileInputs = { inputs: string[]; inputsHash: string };

export type ImportErrorKind =
  | "unreadable"
  | "syntax"
  | "unresolved_import"
  | "missing_package"
  | "threw"
  | "timeout"
  | "memory"
  | "exit"
  | "crash"
  | "invalid_dag"
  | "duplicate_dag"
  | "too_large"
  | "internal";

/** Why a file could not be loaded. `line` and `column` count from 1; null where there is no such place. */
export type ImportErrorFacts = {
  kind: ImportErrorKind;
  message: string;
  /** The file that the position is in, relative to the bundle: a helper's, or the DAG file's own. */
  file: string;
  line: number | null;
  column: number | null;
  /** The end of the stack or of what the file printed, at most 8 KB; null where there is nothing more to say. */
  detail: string | null;
};

/** `build`: of the Baram that saves. `isForced`: also over what a newer one saved. */
type Save = DagFileRef & DagFileInputs & { build: Build; isForced: boolean };

export type SaveDags = Save & {
  module: BundledModule;
  /** Text of the DAG file itself, for the code view. */
  source: string;
  /** `plan`: the next runs of a DAG with a custom timetable; they replace the ones planned before. */
  dags: { dag: SerializedDag; hash: string; plan: TimetablePlan | null }[];
  /** Files whose DAGs this one may take, though they still define them. */
  takeFrom: readonly DagFileRef[];
};

/** `waitsFor`: the DAG that another file owns, for which this one fails. */
export type SaveImportError = Save & { error: ImportErrorFacts; waitsFor: string | null };

/**
 * `saved`: `created` are DAGs that were not there before, `released` ones that the file does not define any more and that another may now own. `left`: nothing was written,
 * since a newer Baram has saved the same inputs. `taken`: nothing was written, since the owner of one of the DAGs still defines it.
 */
export type SaveOutcome =
  | { type: "saved"; created: string[]; released: string[] }
  | { type: "left" }
  | { type: "taken"; dagId: string; owner: DagFileRef };

/**
 * Where a dag-processor keeps its results; each has one of its own. Every method is one transaction, and safe to repeat: several dag-processors
 * may save the same file. A rejection with a BaramError of code `dag_unsaved` is the file's fault and becomes its import error; any other
 * leaves the file to be tried again at the next scan.
 */
export type DagFileStore = {
  /** All files of these bundles that were saved and not forgotten. */
  knownFiles(bundleNames: string[]): Promise<KnownDagFile[]>;
  /**
   * Keeps what a scan of a bundle found; forgets the files that no living dag-processor has, with their import errors, and makes the
   * DAGs they own stale: those in `gone` at once, others when they have been missing for the threshold. Tells which files
   * of the listing are not in the store as they were saved, whoever changed it: their DAG was deleted, made stale or taken, their import error
   * removed; or an older `build` saved them; or the DAG they wait for has become free.
   */
  listFiles(listing: BundleListing, build: Build): Promise<ListedFiles>;
  /** This dag-processor stops: what it found counts no more. */
  endListings(): Promise<void>;
  /** Files of these bundles with a DAG whose planned runs are half used up, or whose timetable had ended an hour ago. */
  filesToPlan(bundleNames: string[]): Promise<DagFileRef[]>;
  /** Where the plans of the file's custom timetables begin, by dagId; DAGs without any run are left out. */
  planSeeds(file: DagFileRef): Promise<Record<string, PlanSeed>>;
  /**
   * Stores the module by its hash; for each DAG a version where the pair (DAG hash, module hash) is new; makes these DAGs
   * active and owned by this file; makes stale every other DAG owned by this file; remembers the inputs; and clears the
   * file's import error. Called with no DAGs for a file that defines none. A DAG whose owner no living dag-processor has, or
   * that its owner does not define any more, goes over to this file.
   */
  saveDags(save: SaveDags): Promise<SaveOutcome>;
  /**
   * Replaces the file's import error and remembers the inputs. The file's DAGs and their last good version stay as they are.
   * false: nothing was written, since a newer Baram has saved the same inputs.
   */
  saveImportError(save: SaveImportError): Promise<boolean>;
};
