import { mkdtemp, rm } from "node:fs/promises";
import { url as inspectorUrl } from "node:inspector";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { loadConfig, sensitiveNames } from "../../../config/index.ts";
import type { DagRunFacts, SerializedDag } from "../../../contracts/index.ts";
import { dagDefaultsOf } from "../../../main/dag-defaults.ts";
import { BaramError, createMasker, createNameRule, type Masker, systemUser } from "../../../platform/index.ts";
import { checkConf } from "../../../scheduler/commands/index.ts";
import { type DagDefinition, serializeDag, setDagDefaults } from "../../../sdk/runtime.ts";
import { assertValidDag, parseSerializedDag } from "../../../serialized/index.ts";
import { manualRunInterval, runIdFor } from "../../../timetables/index.ts";
import { type LogRecord, runCallback } from "../../../worker/runner/index.ts";
import { createReader } from "../../debug/database-caller.ts";
import { findDefinition } from "../../debug/find-definition.ts";
import { formatRecordLine } from "../../debug/format-log.ts";
import { judgeRoot } from "../../debug/judge-root.ts";
import { maskOutput } from "../../debug/mask-output.ts";
import { createDebugMemory } from "../../debug/memory-caller.ts";
import { type DebugResult, type DebugRun, runDag } from "../../debug/run-dag.ts";
import { interrupted } from "../../errors.ts";
import { ExitCode } from "../../exit-codes.ts";
import { instantOf, readConf, requireInstant } from "../../find-things.ts";
import { formatRows } from "../../output/index.ts";
import { createLazySession } from "../../session.ts";
import type { Terminal } from "../../terminal.ts";
import type { OutputOptions } from "../flags.ts";

export type TestOptions = OutputOptions & { conf?: string; file?: string; retryDelay: boolean; allowRoot: boolean };

const DATE = "The logical date";

/** Writes log lines to stderr and the final states to stdout; exits with code 1 if the run failed. */
export async function testDag(terminal: Terminal, dagId: string, date: string | undefined, options: TestOptions): Promise<void> {
  const config = loadConfig();
  const conf = readConf(options.conf);
  if (date !== undefined) requireInstant(date, DATE);
  judgeRoot(config, terminal, "dags test", options.allowRoot);
  process.setSourceMapsEnabled(true);
  const masker = createMasker(createNameRule(sensitiveNames(config)));
  const restoreOutput = maskOutput(masker);
  const cacheDir = await mkdtemp(join(tmpdir(), "baram-test-"));
  const session = createLazySession(terminal, config);
  const stop = new AbortController();
  const onSignal = () => stop.abort(new BaramError("task_stopped", "the test was stopped"));
  process.once("SIGINT", onSignal);
  process.once("SIGTERM", onSignal);
  try {
    setDagDefaults(dagDefaultsOf(config));
    const definition = await findDefinition(dagId, { file: options.file, config, cacheDir });
    const dag = parseSerializedDag(serializeDag(definition));
    assertValidDag(dag);
    checkConf(dag, conf);
    const dagRun = runFacts(dag, date === undefined ? new Date() : instantOf(date, DATE, dag.timezone), conf);
    masker.addNamed("conf", conf);
    const log = (taskId: string | null, record: LogRecord) =>
      terminal.note(formatRecordLine(taskId, maskRecord(record, masker), new Date()));
    const run: DebugRun = {
      definition,
      dag,
      dagRun,
      memory: createDebugMemory(dagRun, createReader(session.get, masker), masker),
      masker,
      log,
      signal: stop.signal,
      hasRetryDelay: options.retryDelay,
      hasTimeouts: inspectorUrl() === undefined,
      xcomMaxBytes: config.xcom.max_size_bytes,
      maxMapLength: config.core.max_map_length,
    };
    const result = await runDag(run);
    await callBack(run, result);
    log(null, { level: "info", message: `run ${dagRun.runId} of DAG "${dagId}" → ${result.state}` });
    terminal.print(
      formatRows(
        result.tasks.map(taskRow),
        [...taskColumns(result), "state", "try_number", "start_date", "end_date"],
        options.output,
      ),
    );
    if (stop.signal.aborted) throw interrupted("The test was stopped before the run ended.");
    if (result.state === "failed") process.exitCode = ExitCode.Failure;
  } finally {
    process.off("SIGINT", onSignal);
    process.off("SIGTERM", onSignal);
    await session.close();
    await rm(cacheDir, { recursive: true, force: true });
    restoreOutput();
  }
}

/** Each text is masked before it becomes JSON. */
function maskRecord({ level, message, facts }: LogRecord, masker: Masker): LogRecord {
  return { level, message: masker.mask(message), ...(facts && { facts: masker.redact(facts) }) };
}

function runFacts(dag: SerializedDag, logicalDate: Date, conf: DagRunFacts["conf"]): DagRunFacts {
  const interval = manualRunInterval(dag.timetable, logicalDate);
  const now = new Date().toISOString();
  return {
    dagId: dag.dagId,
    runId: runIdFor("manual", logicalDate),
    runType: "manual",
    state: "running",
    logicalDate: logicalDate.toISOString(),
    dataIntervalStart: interval.dataIntervalStart.toISOString(),
    dataIntervalEnd: interval.dataIntervalEnd.toISOString(),
    runAfter: logicalDate.toISOString(),
    startDate: now,
    endDate: null,
    conf,
    clearNumber: 0,
    note: null,
    triggeringUserName: systemUser(),
  };
}

/** Runs the DAG's own onSuccess or onFailure. */
async function callBack(
  { definition, dagRun, memory, masker, log, signal }: DebugRun & { definition: DagDefinition },
  { state }: DebugResult,
) {
  const sink = (record: LogRecord) => log(null, record);
  await runCallback({
    dag: definition,
    request: {
      kind: "dag",
      callback: state === "success" ? "onSuccess" : "onFailure",
      dagRun: { ...dagRun, state, endDate: new Date().toISOString() },
      reason: state === "success" ? "success" : "task_failure",
    },
    caller: memory.callerFor({ taskId: "", mapIndex: -1 }, sink),
    masker,
    log: sink,
    signal,
    now: Date.now,
  });
}

function taskColumns({ tasks }: DebugResult): string[] {
  return tasks.some((task) => task.mapIndex >= 0) ? ["task_id", "map_index"] : ["task_id"];
}

function taskRow(task: DebugResult["tasks"][number]) {
  return {
    task_id: task.taskId,
    map_index: task.mapIndex,
    state: task.state,
    try_number: task.tryNumber,
    start_date: task.startDate,
    end_date: task.endDate,
  };
}
