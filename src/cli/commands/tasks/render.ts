import { pathToFileURL } from "node:url";
import { promisify } from "node:util";
import { gunzip } from "node:zlib";
import { sensitiveNames } from "../../../config/index.ts";
import type { DagRunFacts, JsonObject } from "../../../contracts/index.ts";
import { mapFactsOf } from "../../../execution-api/index.ts";
import { moduleCacheFolder } from "../../../main/supervisor-options.ts";
import { BaramError, createMasker, createNameRule, materializeModule } from "../../../platform/index.ts";
import { createDagCache } from "../../../scheduler/commands/index.ts";
import { collectDags, type DagDefinition } from "../../../sdk/runtime.ts";
import {
  findInstances,
  findModule,
  findRenderedFields,
  findVersion,
  type InstanceRow,
  type RunFacts,
} from "../../../store/index.ts";
import { createReader } from "../../debug/database-caller.ts";
import { judgeRoot } from "../../debug/judge-root.ts";
import { maskOutput } from "../../debug/mask-output.ts";
import { renderFields } from "../../debug/render-fields.ts";
import { notFound } from "../../errors.ts";
import { requireRun } from "../../find-things.ts";
import { formatRecord } from "../../output/index.ts";
import { type Session, withStore } from "../../session.ts";
import type { Terminal } from "../../terminal.ts";
import type { OutputOptions } from "../flags.ts";

const unpack = promisify(gunzip);

type Which = { dagId: string; taskId: string; run: string };
export type RenderOptions = OutputOptions & { mapIndex: number; allowRoot: boolean };

/** The fields as rendered in the last try. If the task has not run yet, they are rendered now with the run's version. */
export function renderTask(
  terminal: Terminal,
  { dagId, taskId, run: text }: Which,
  { output, mapIndex, allowRoot }: RenderOptions,
): Promise<void> {
  return withStore(terminal, async (session) => {
    const run = await requireRun(session, dagId, text);
    const key = { dagRunId: run.id, taskId, mapIndex };
    const [instance] = await findInstances(session.store, [key]);
    if (!instance)
      throw notFound(
        "task",
        `Run "${run.runId}" of DAG "${dagId}" has no task "${taskId}"${mapIndex < 0 ? "" : ` with map index ${mapIndex}`}. See "baram tasks states-for-dag-run ${dagId} ${run.runId}"; of a mapped task name an instance with --map-index.`,
      );
    const [stored] = instance.tryNumber > 0 ? await findRenderedFields(session.store, [key]) : [];
    if (stored === undefined) judgeRoot(session.config, terminal, "tasks render", allowRoot);
    const fields = stored?.fields ?? (await renderNow(session, run, instance));
    terminal.print(formatRecord(fields, output));
  });
}

async function renderNow(session: Session, run: RunFacts, instance: InstanceRow): Promise<JsonObject> {
  const { taskId, mapIndex } = instance;
  const facts = await mapFactsOf(session.store, createDagCache(), [instance]);
  const masker = createMasker(createNameRule(sensitiveNames(session.config)));
  const restoreOutput = maskOutput(masker);
  try {
    return await renderFields({
      definition: await loadVersion(session, run),
      taskId,
      mapIndex,
      map: facts.get(instance.id) ?? null,
      dagRun: factsOf(run),
      read: createReader(async () => session, masker),
      masker,
    });
  } finally {
    restoreOutput();
  }
}

async function loadVersion({ store, config }: Session, run: RunFacts): Promise<DagDefinition> {
  const version = run.versionId === null ? null : await findVersion(store, run.versionId);
  const module = version && (await findModule(store, version.moduleHash));
  if (!module)
    throw new BaramError("dag_version_not_found", `The code of run "${run.runId}" of DAG "${run.dagId}" is no longer stored.`);
  const code = (await unpack(module.code)).toString("utf8");
  const folders = [config.core.dags_folder, process.cwd()];
  const path = await materializeModule(
    { hash: module.hash, code, externals: module.externals },
    moduleCacheFolder(config),
    folders,
  );
  const definitions = await collectDags(() => import(pathToFileURL(path).href));
  const found = definitions.find((one) => one.dagId === run.dagId);
  if (found) return found;
  throw new BaramError("dag_not_in_module", `The stored code of run "${run.runId}" defines no DAG "${run.dagId}".`);
}

function factsOf(run: RunFacts): DagRunFacts {
  const iso = (date: Date | null) => date?.toISOString() ?? null;
  return {
    dagId: run.dagId,
    runId: run.runId,
    runType: run.runType,
    state: run.state,
    logicalDate: iso(run.logicalDate),
    dataIntervalStart: iso(run.dataIntervalStart),
    dataIntervalEnd: iso(run.dataIntervalEnd),
    runAfter: run.runAfter.toISOString(),
    startDate: iso(run.startDate),
    endDate: iso(run.endDate),
    conf: run.conf,
    clearNumber: run.clearNumber,
    note: run.note,
    triggeringUserName: run.triggeringUserName,
  };
}
