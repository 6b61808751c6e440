import { existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type Config, closeHome, makeHome } from "../config/index.ts";
import { BaramError, createLogger, FILE_MODE, isDatabaseAway, type Logger } from "../platform/index.ts";
import { migrate } from "../store/index.ts";
import { warnOfSecretFiles, warnOfTaskUsers } from "./accounts.ts";
import { ensureFirstUser, type FirstUser } from "./admin.ts";
import { ensureDefaultPool } from "./dag-processor/sql-dag-file-store.ts";
import { prepareDagsFolder } from "./dags-folder.ts";
import { runDemo } from "./demo.ts";
import { hideSecrets, tellOfWithheld } from "./hide-secrets.ts";
import { logOptionsOf } from "./log-options.ts";
import { createMetrics } from "./metrics/index.ts";
import { apiStoreOptions, type Database, openDatabase, ROLE_RETRY_WINDOW_MS } from "./open-database.ts";
import { startApiServerPart } from "./parts/api-server-part.ts";
import { startDagProcessorPart } from "./parts/dag-processor-part.ts";
import type { Part } from "./parts/part.ts";
import { startSchedulerPart } from "./parts/scheduler-part.ts";
import { startTriggererPart } from "./parts/triggerer-part.ts";
import { createPatience } from "./patience.ts";
import { warnOfMeaninglessOptions } from "./role.ts";
import { untilStopped } from "./until-stopped.ts";

/**
 * `baram standalone`: every role in this process, on the embedded PostgreSQL unless a URL is set. Resolves when all roles have
 * stopped.
 */
export async function runStandalone(config: Config): Promise<void> {
  const log = { ...logOptionsOf(config), role: "standalone" };
  const logger = createLogger(log);
  // At its start a standalone prints sentences for the user who typed the command, and logs only what is wrong.
  const atStart = log.level === "info" ? createLogger({ ...log, level: "warn" }) : logger;
  warnOfMeaninglessOptions(config, logger);
  hideSecrets(config, logger);
  const metrics = createMetrics(config, logger);
  const unlock = lockHome(config.home);
  closeHome(config.home, (message) => logger.warn({}, message));
  warnOfSecretFiles(config, logger);
  const stopped = untilStopped(logger);
  const patience = createPatience(config.database.start_timeout);
  void stopped.then(patience.stop);
  const parts: Part[] = [];
  let database: Database | null = null;
  try {
    const dagsFolder = prepareDagsFolder(config);
    database = await openDatabase(config, logger, { takeOver: true, make: true, patience });
    const store = database.open("standalone", { retryWindowMs: ROLE_RETRY_WINDOW_MS });
    await migrate(store, atStart);
    await ensureDefaultPool(store, config.core.default_pool_task_slot_count);
    const admin = await ensureFirstUser(config, store);
    const api = await startApiServerPart(config, database.open("api-server", apiStoreOptions(config)), logger, metrics);
    parts.push(api);
    const scheduler = await startSchedulerPart(config, store, api.localUrl, logger, metrics);
    parts.unshift(scheduler);
    parts.unshift(await startTriggererPart(config, store, logger, metrics));
    say(`Baram is up at ${api.url}`);
    if (admin.passwordFile !== null) say(`  user      admin${shownPassword(admin)}  (password in ${admin.passwordFile})`);
    say(`  DAGs      ${dagsFolder}`);
    say(`  data      ${database.isEmbedded ? join(config.home, "postgres") : "the database at [database] url"}`);
    const processor = await startDagProcessorPart(config, store, logger, { withExamples: true }, metrics);
    parts.unshift(processor);
    patience.started();
    // Not earlier: a start that fails says only why.
    warnOfTaskUsers(config, logger);
    tellOfWithheld(config, logger);
    const demo = runDemo(config, store, say, logger);
    say("  Ctrl-C ends it.");
    await Promise.race([stopped, ...(scheduler.finished ? [scheduler.finished] : [])]);
    say("Stopping: running tasks may finish; Ctrl-C again ends at once …");
    demo.cancel();
  } catch (error) {
    if (!patience.isStartGivenUp() || !isDatabaseAway(error)) throw error;
    say("Stopping: the database could not be reached yet.");
  } finally {
    await stopAll(parts, logger);
    await database?.close();
    await metrics.close();
    unlock();
  }
  say("Baram has stopped.");
}

async function stopAll(parts: readonly Part[], logger: Logger): Promise<void> {
  for (const part of parts)
    await part.stop().catch((error: Error) => logger.error({ error: error.message }, "a role did not stop cleanly"));
}

/** On a terminal only: other outputs are logs, which are kept and read by others. */
function shownPassword({ isNew, passwordFile }: FirstUser): string {
  if (!isNew || passwordFile === null || !process.stdout.isTTY) return "";
  return `, password ${readFileSync(passwordFile, "utf8").trim()}`;
}

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}

/** One standalone per BARAM_HOME. The stale lock of a killed process is replaced. */
function lockHome(home: string): () => void {
  const path = join(home, "standalone.pid");
  try {
    makeHome(home);
    const pid = existsSync(path) ? Number(readFileSync(path, "utf8")) : 0;
    if (pid > 0 && pid !== process.pid && isStandalone(pid)) {
      throw new BaramError(
        "already_running",
        `Baram already runs from ${home} (process ${pid}). Stop it first, or set another BARAM_HOME.`,
        { home, pid },
      );
    }
    writeFileSync(path, String(process.pid), { mode: FILE_MODE });
  } catch (error) {
    throw explainHome(error, home);
  }
  return () => rmSync(path, { force: true });
}

function isStandalone(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return readFileSync(`/proc/${pid}/cmdline`, "utf8").includes("standalone");
  } catch (error) {
    // Without /proc (macOS), a live process with that pid counts as Baram.
    return (error as NodeJS.ErrnoException).code === "ENOENT" && process.platform !== "linux";
  }
}

function explainHome(error: unknown, home: string): unknown {
  const { code } = error as NodeJS.ErrnoException;
  if (code === "EACCES" || code === "EPERM" || code === "EROFS" || code === "ENOENT") {
    return new BaramError(
      "home_unwritable",
      `BARAM_HOME ${home} cannot be written by this user. Give it to the user that starts Baram, or set BARAM_HOME to another folder.`,
      { home },
      error,
    );
  }
  if (code === "ENOSPC" || code === "EDQUOT")
    return new BaramError(
      "disk_full",
      `The disk that holds ${home} is full. Free some space and start again; nothing was lost.`,
      { home },
      error,
    );
  if (code === "ENOTDIR" || code === "EEXIST")
    return new BaramError(
      "home_invalid",
      `BARAM_HOME ${home} is not a folder, or lies below a file. Set it to a folder.`,
      { home },
      error,
    );
  return error;
}
