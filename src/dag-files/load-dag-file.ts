import { realpath } from "node:fs/promises";
import { dirname, join } from "node:path";
import { DAG_DEFAULTS, jsonTextFault, type SerializedDag, type TimetablePlan, timetablePlanSchema } from "../contracts/index.ts";
import { type Account, BaramError, type BundledModule, materializeModule, toError } from "../platform/index.ts";
import { hashDag, parseSerializedDag, validateDag } from "../serialized/index.ts";
import { bundleDagFile } from "./bundle-dag-file.ts";
import { createEvaluator, type Evaluation, type EvaluationFacts, type Evaluator } from "./evaluator.ts";
import { DagFileError } from "./import-error.ts";
import { findPosition } from "./stack-position.ts";

/** `plan`: the next runs of a DAG with a custom timetable, null for others. */
export type LoadedDag = { dag: SerializedDag; hash: string; plan: TimetablePlan | null };

/** A file with more DAGs is no longer a single pipeline, and would occupy its slot for a long time. */
const MAX_DAGS_PER_FILE = 10_000;

/**
 * Evaluates a bundled DAG file and validates its DAGs. One invalid DAG fails the whole file, so that its last good version stays
 * complete. Throws `DagFileError`.
 */
export async function loadBundledFile(
  module: BundledModule,
  where: { root: string; relativePath: string; cacheDir: string },
  evaluator: Evaluator,
  facts: EvaluationFacts,
): Promise<LoadedDag[]> {
  const file = where.relativePath;
  const modulePath = await place(module, where);
  const { dags: raw, plans, looseEnds } = await evaluator.evaluate(modulePath, file, facts);
  if (raw.length > MAX_DAGS_PER_FILE) {
    throw new DagFileError("invalid_dag", `the file defines ${raw.length} DAGs, more than the ${MAX_DAGS_PER_FILE} allowed`, {
      file,
    });
  }
  checkLooseEnds(looseEnds, dirname(modulePath), file);
  return raw.map((json) => checkDag(json, plans, file));
}

/**
 * Unused objects of a shared module may be for other files; those that the DAG file itself creates outside of its DAGs are meant
 * for them.
 */
function checkLooseEnds(looseEnds: Evaluation["looseEnds"], moduleFolder: string, file: string): void {
  for (const { message, stack } of looseEnds) {
    const position = findPosition(stack, moduleFolder);
    if (position?.file === file) throw new DagFileError("invalid_dag", message, { ...position });
  }
}

async function place(module: BundledModule, where: { root: string; relativePath: string; cacheDir: string }): Promise<string> {
  const folder = dirname(join(where.root, where.relativePath));
  try {
    return await materializeModule(module, where.cacheDir, [folder]);
  } catch (error) {
    if (!(error instanceof BaramError) || error.code !== "module_package_missing") throw error;
    throw new DagFileError("missing_package", error.message, { file: where.relativePath });
  }
}

function checkDag(json: unknown, plans: Record<string, unknown>, file: string): LoadedDag {
  let dag: SerializedDag;
  try {
    dag = parseSerializedDag(json);
  } catch (error) {
    throw new DagFileError("invalid_dag", toError(error).message, { file });
  }
  // As type json it could be stored, but every statement that reads texts of several DAGs would fail because of this one.
  const fault = jsonTextFault(JSON.stringify(dag));
  if (fault !== null) {
    throw new DagFileError("invalid_dag", `DAG "${dag.dagId}": a text of its definition holds ${fault}. Remove it`, { file });
  }
  const [first, ...rest] = validateDag(dag);
  if (!first) return { dag, hash: hashDag(dag), plan: checkPlan(dag, plans, file) };
  throw new DagFileError("invalid_dag", first.message, { file, detail: rest.map((problem) => problem.message).join("\n") });
}

/** The child shares its pipe with the file's code, so a plan is as untrusted as a DAG. */
function checkPlan(dag: SerializedDag, plans: Record<string, unknown>, file: string): TimetablePlan | null {
  if (dag.timetable.type !== "custom") return null;
  const { success, data } = timetablePlanSchema.safeParse(Object.hasOwn(plans, dag.dagId) ? plans[dag.dagId] : undefined);
  const isOrdered = data?.runs.every((run, at) => run.logicalDate > (data.runs[at - 1]?.logicalDate ?? Number.NEGATIVE_INFINITY));
  const areIntervals = data?.runs.every(({ dataInterval: [start, end] }) => start <= end);
  if (success && isOrdered && areIntervals) return data;
  throw new DagFileError("invalid_dag", `DAG "${dag.dagId}": the plan of its timetable ${dag.timetable.name} cannot be read`, {
    file,
  });
}

export type LoadDagFileOptions = {
  cacheDir: string;
  environment: Record<string, string>;
  /** The operating system user that evaluates it; null or left out = this process's own. */
  account?: Account | null;
  memoryMb: number;
  timeoutSec: number;
};

/** Loads one file in a separate process, for commands. `path` is relative to the folder. Throws `DagFileError`. */
export async function loadDagFile(path: string, folder: string, options: LoadDagFileOptions) {
  const root = await realpath(folder);
  const module = await bundleDagFile(path, root);
  const evaluator = createEvaluator({ ...options, filesPerProcess: 1 });
  try {
    const facts = { defaults: DAG_DEFAULTS, seeds: {}, now: Date.now() };
    const where = { root, relativePath: path, cacheDir: options.cacheDir };
    return { module, dags: await loadBundledFile(module, where, evaluator, facts) };
  } finally {
    await evaluator.stop();
  }
}
