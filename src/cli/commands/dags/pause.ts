import { findDag, listDags, type Store, setPaused } from "../../../store/index.ts";
import { usageError } from "../../errors.ts";
import { dagNotFound } from "../../find-things.ts";
import { formatRows } from "../../output/index.ts";
import { withStore } from "../../session.ts";
import type { Terminal } from "../../terminal.ts";
import type { OutputOptions } from "../flags.ts";

/** Changes all of them, or none if one is unknown. */
export function setPausedOf(
  terminal: Terminal,
  given: readonly string[],
  isPaused: boolean,
  options: OutputOptions & { treatDagIdAsRegex: boolean },
): Promise<void> {
  return withStore(terminal, async ({ store, audit }) => {
    const dagIds = options.treatDagIdAsRegex ? await matchingDags(store, given) : [...new Set(given)];
    for (const dagId of dagIds) if (!(await findDag(store, dagId))) throw dagNotFound(dagId);
    await store.transaction(async (tx) => {
      for (const dagId of [...dagIds].sort()) await setPaused(tx, { dagId }, isPaused);
    });
    for (const dagId of dagIds) await audit({ event: isPaused ? "cli_dag_pause" : "cli_dag_unpause", dagId });
    const rows = dagIds.map((dagId) => ({ dag_id: dagId, is_paused: isPaused }));
    terminal.print(formatRows(rows, ["dag_id", "is_paused"], options.output));
  });
}

async function matchingDags(store: Store, patterns: readonly string[]): Promise<string[]> {
  const page = { limit: 1_000_000, offset: 0, order: [{ key: "dag_id" as const, descending: false }] };
  const { rows } = await listDags(store, { excludeStale: true }, page);
  return patterns.flatMap((pattern) => {
    const expression = compile(pattern);
    const found = rows.map((dag) => dag.dagId).filter((dagId) => expression.test(dagId));
    if (found.length === 0) throw dagNotFound(pattern);
    return found;
  });
}

function compile(pattern: string): RegExp {
  try {
    return new RegExp(`^(?:${pattern})$`);
  } catch (error) {
    throw usageError(`"${pattern}" is not a regular expression: ${(error as Error).message}.`);
  }
}
