import { hostname } from "node:os";
import { promisify } from "node:util";
import { gunzip } from "node:zlib";
import type { JsonObject } from "../../contracts/index.ts";
import { answerCall, type CallResources } from "../../execution-api/index.ts";
import { BaramError, createModuleCheck, materializeModule } from "../../platform/index.ts";
import { finishDeferred, logPathOf } from "../../scheduler/index.ts";
import {
  beatJob,
  buryJobs,
  claimTriggers,
  endJob,
  type Firing,
  findModule,
  findOwnTriggers,
  fireTriggers,
  releaseTriggers,
  releaseTriggersOfTheDead,
  startJob,
  type TriggerRow,
} from "../../store/index.ts";
import type { ClaimedTrigger, EndedTrigger, TriggererStore } from "../../triggerer/index.ts";

const decompress = promisify(gunzip);

const READ_ONLY = {
  tokenTtlSec: 0,
  xcomMaxBytes: 0,
  maxMapLength: 0,
  templatedFieldMaxLength: 0,
  allowedRunId: /^/,
  defaultExecutor: "",
  allowTriggerInFuture: false,
  workerLostAfterSec: 0,
};

export type SqlTriggerStoreOptions = { cacheDir: string; resolveFrom: readonly string[] };

/** The triggerer's rows in PostgreSQL; encrypts and decrypts their contents. */
export function createSqlTriggerStore(resources: CallResources, options: SqlTriggerStoreOptions): TriggererStore {
  const { store, cipher, dags, logger } = resources;
  const modulePaths = new Map<string, Promise<string>>();
  const checkModule = createModuleCheck();

  async function open(rows: readonly TriggerRow[]): Promise<ClaimedTrigger[]> {
    const claimed: ClaimedTrigger[] = [];
    const sealed: Firing[] = [];
    for (const { kwargs, tryId, id, classpath, moduleHash, deaths, ...task } of rows) {
      try {
        const clear = JSON.parse(cipher.decrypt(kwargs)) as JsonObject;
        claimed.push({ id, classpath, moduleHash, deaths, tryId, task, kwargs: clear, logPath: logPathOf(task) });
      } catch (error) {
        logger.error({ trigger: id, error: (error as Error).message }, "a trigger's options cannot be read");
        sealed.push({ triggerId: id, event: null, failure: `the trigger's options cannot be read: ${(error as Error).message}` });
      }
    }
    if (sealed.length > 0) await fireTriggers(store, sealed);
    return claimed;
  }

  async function fetchModule(hash: string): Promise<string> {
    const module = await findModule(store, hash);
    if (!module) throw new BaramError("module_not_found", `There is no module ${hash}.`, { hash });
    const code = (await decompress(module.code)).toString("utf8");
    return materializeModule({ hash, code, externals: module.externals }, options.cacheDir, options.resolveFrom);
  }

  return {
    startJob: () => startJob(store, { type: "TriggererJob", hostname: hostname(), pid: process.pid }),
    beatJob: (jobId) => beatJob(store, jobId),
    endJob: (jobId) => endJob(store, jobId),
    async freeTriggersOfTheDead(silentForSec) {
      await buryJobs(store, "TriggererJob", silentForSec);
      return releaseTriggersOfTheDead(store);
    },
    claim: async (claim) => open(await claimTriggers(store, claim)),
    findOwn: (jobId, running) => findOwnTriggers(store, jobId, running),
    async release(jobId, ids, deaths) {
      await releaseTriggers(store, jobId, ids, deaths);
    },
    async fire(ends) {
      const waits = ends.filter(({ end }) => end.kind !== "task");
      const fired =
        waits.length > 0
          ? await fireTriggers(
              store,
              waits.map((one) => firingOf(one)),
            )
          : [];
      for (const { id, tryId, end } of ends) {
        if (end.kind === "task" && (await finishDeferred(store, dags, tryId, outcomeOf(end)))) fired.push(id);
      }
      return fired;
    },
    listen: (onNotify) => store.listen("baram_triggerer", onNotify),
    modulePath(hash) {
      const known = modulePaths.get(hash);
      const path = known
        ? known.then((one) => checkModule(one).then(() => one)).catch(() => fetchModule(hash))
        : fetchModule(hash);
      // A failure is not cached: a package may be installed meanwhile.
      path.catch(() => modulePaths.get(hash) === path && modulePaths.delete(hash));
      modulePaths.set(hash, path);
      return path;
    },
    // Only reads, which need no try's token.
    call: (method, params) => answerCall({ tryId: "", resources, options: READ_ONLY }, method, params),
  };

  function firingOf({ id, end }: EndedTrigger): Firing {
    if (end.kind === "event") return { triggerId: id, event: cipher.encrypt(JSON.stringify(end.payload)), failure: null };
    return { triggerId: id, event: null, failure: `the trigger failed: ${end.kind === "failed" ? end.message : end.reason}` };
  }
}

function outcomeOf({ state, reason, xcoms }: Extract<EndedTrigger["end"], { kind: "task" }>) {
  switch (state) {
    case "success":
      return { state, xcoms, skipTasks: [] };
    case "skipped":
      return { state, reason, xcoms };
    case "failed":
      return { state, retryable: false, error: { name: "TriggerFailureError", message: reason, stack: null }, xcoms };
  }
}
