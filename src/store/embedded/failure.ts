import { BaramError } from "../../platform/index.ts";

/** What the server printed before it gave up → one sentence that names the cause and the remedy. */
export function explainFailure(step: "initdb" | "start", output: string, exitCode: number | null, folder: string): BaramError {
  const facts = { step, exitCode, folder };
  const library =
    /error while loading shared libraries: ([^:\s]+)/.exec(output)?.[1] ?? /Library not loaded: (\S+)/.exec(output)?.[1];
  if (library) {
    return new BaramError(
      "postgres_missing_library",
      `The embedded PostgreSQL needs the shared library ${library}, which this machine lacks. Install it, or set BARAM__DATABASE__URL.`,
      { ...facts, library },
    );
  }
  if (/No space left on device|ENOSPC|Disk quota exceeded/i.test(output)) {
    return new BaramError(
      "disk_full",
      `The disk that holds ${folder} is full, so PostgreSQL cannot start. Free some space and start again; nothing was lost.`,
      facts,
    );
  }
  if (/Permission denied/i.test(output)) {
    return new BaramError(
      "postgres_permission",
      `PostgreSQL may not use ${folder}. Give the folder to the user that starts Baram, or choose another BARAM_HOME.`,
      facts,
    );
  }
  const version = /initialized by PostgreSQL version (\S+),.*compatible with this version (\S+)/s.exec(output);
  if (version) {
    return new BaramError(
      "postgres_version",
      `${folder} was made by PostgreSQL ${version[1]}, but this Baram brings another version (${version[2]}). Move the data with pg_dump, or choose another BARAM_HOME.`,
      facts,
    );
  }
  const tail = output.trim().split("\n").slice(-3).join(" | ") || "no output";
  return new BaramError(
    "postgres_failed",
    `PostgreSQL did not ${step === "initdb" ? "initialise" : "start"} in ${folder} (exit code ${exitCode}): ${tail}`,
    facts,
  );
}
