import { environmentSecrets } from "../../../config/index.ts";
import { DESCRIPTION_MAX, isReachable, jsonValueSchema, REACHABLE_RULE, VARIABLE_KEY_MAX } from "../../../contracts/index.ts";
import { setVariable } from "../../../store/index.ts";
import { usageError } from "../../errors.ts";
import { requireText } from "../../find-things.ts";
import { withStore } from "../../session.ts";
import type { Terminal } from "../../terminal.ts";

export type SetOptions = { description?: string; json: boolean };

export async function setOne(terminal: Terminal, key: string, value: string, options: SetOptions): Promise<void> {
  requireText(key, "The variable's key", VARIABLE_KEY_MAX, 1);
  if (options.description !== undefined) requireText(options.description, "--description", DESCRIPTION_MAX);
  if (!isReachable(key)) throw usageError(`The variable's key "${key}" ${REACHABLE_RULE}.`);
  if (options.json && !isJson(value))
    throw usageError(
      `The value of "${key}" is not JSON: ${value.slice(0, 100)}. Quote it for the shell, as in '{"a": 1}', or leave out --json.`,
    );
  await withStore(terminal, async ({ store, cipher, audit }) => {
    await setVariable(store, cipher(), { key, value, description: options.description ?? null });
    await audit({ event: "cli_variables_set", extra: { key } });
  });
  terminal.print(`Variable ${key} is set.`);
  if (environmentSecrets().variable(key) !== null)
    terminal.note(`BARAM_VAR_${key.toUpperCase()} is set in this environment and overrides the stored value.`);
}

/** What JSON.parse makes of 1e999 is no number that a task could pass on. */
function isJson(text: string): boolean {
  try {
    return jsonValueSchema.safeParse(JSON.parse(text)).success;
  } catch {
    return false;
  }
}
