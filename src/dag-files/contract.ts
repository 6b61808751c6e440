import type { PlanSeed, SerializedDag, TimetablePlan } from "../contracts/index.ts";
import type { BundledModule } from "../platform/index.ts";

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
  /** The DAGs that the file holds in its last good version. */
  dagIds: string[];
  hasImportError: boolean;
};

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

export type SaveDags = DagFileRef &
  DagFileInputs & {
    module: BundledModule;
    /** Text of the DAG file itself, for the code view. */
    source: string;
    /** `plan`: the next runs of a DAG with a custom timetable; they replace the ones planned before. */
    dags: { dag: SerializedDag; hash: string; plan: TimetablePlan | null }[];
  };

export type SaveImportError = DagFileRef & DagFileInputs & { error: ImportErrorFacts };

/**
 * Where the dag-processor keeps its results. Every method is one transaction, and safe to repeat: several dag-processors
 * may save the same file. A rejection with a BaramError of code `dag_unsaved` is the file's fault and becomes its import error; any other
 * leaves the file to be tried again at the next scan.
 */
export type DagFileStore = {
  /** All files of these bundles that were saved and not deactivated. */
  knownFiles(bundleNames: string[]): Promise<KnownDagFile[]>;
  /** Files of these bundles with a DAG whose planned runs are half used up, or whose timetable had ended an hour ago. */
  filesToPlan(bundleNames: string[]): Promise<DagFileRef[]>;
  /** Where the plans of the file's custom timetables begin, by dagId; DAGs without any run are left out. */
  planSeeds(file: DagFileRef): Promise<Record<string, PlanSeed>>;
  /**
   * Stores the module by its hash; for each DAG a version where the pair (DAG hash, module hash) is new; makes these DAGs
   * active and owned by this file; makes stale every other DAG owned by this file; remembers the inputs; and clears the
   * file's import error. Called with no DAGs for a file that defines none. A DAG may be owned by another file before.
   */
  saveDags(save: SaveDags): Promise<void>;
  /** Replaces the file's import error and remembers the inputs. The file's DAGs and their last good version stay as they are. */
  saveImportError(save: SaveImportError): Promise<void>;
  /** Forgets every file of the bundle that is not in `presentFiles`, with its import error; makes the DAGs it owns stale. */
  deactivateMissing(bundleName: string, presentFiles: string[]): Promise<void>;
};
