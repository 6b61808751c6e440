import { environmentSecrets } from "../../../config/index.ts";
import { findVariable } from "../../../store/index.ts";
import { notFound, usageError } from "../../errors.ts";
import { formatRecord } from "../../output/index.ts";
import { withStore } from "../../session.ts";
import { shown } from "../../shown.ts";
import type { Terminal } from "../../terminal.ts";
import type { OutputFormat } from "../flags.ts";

export type GetOptions = { default?: string; json: boolean; output?: OutputFormat };

export async function getOne(terminal: Terminal, key: string, options: GetOptions): Promise<void> {
  const found = await findAnywhere(terminal, key);
  if (!found && options.default === undefined)
    throw notFound("variable", `There is no variable ${shown(key)}. Set it with "baram variables set <key> <value>".`);
  const variable = found ?? { key, value: options.default ?? "", description: null };
  if (options.output) terminal.print(formatRecord({ ...variable }, options.output));
  else terminal.print(options.json ? indented(key, variable.value) : variable.value);
}

/** Searches the environment first, as for a task; a variable found there needs no database. */
async function findAnywhere(terminal: Terminal, key: string) {
  const value = environmentSecrets().variable(key);
  if (value !== null) return { key, value, description: null };
  return withStore(terminal, async ({ store, cipher, audit }) => {
    const stored = await findVariable(store, cipher(), key);
    // Before it is printed: what cannot be recorded is not shown.
    if (stored) await audit({ event: "cli_variables_get", extra: { key } });
    return stored;
  });
}

function indented(key: string, text: string): string {
  try {
    return JSON.stringify(JSON.parse(text), null, 2);
  } catch {
    throw usageError(`The value of variable "${key}" is not JSON. Leave out --json.`);
  }
}
