import { environmentSecrets } from "../../../config/index.ts";
import { isReachable, REACHABLE_RULE } from "../../../contracts/index.ts";
import { setVariable } from "../../../store/index.ts";
import { usageError } from "../../errors.ts";
import { withStore } from "../../session.ts";
import type { Terminal } from "../../terminal.ts";

export type SetOptions = { description?: string; json: boolean };

/** The limit of the execution API: a variable with a longer key could not be read. */
const KEY_MAX_LENGTH = 512;

export async function setOne(terminal: Terminal, key: string, value: string, options: SetOptions): Promise<void> {
  if (key === "" || key.length > KEY_MAX_LENGTH)
    throw usageError(`The variable's key has ${key.length} characters; it must have 1 to ${KEY_MAX_LENGTH}.`);
  if (!isReachable(key)) throw usageError(`The variable's key "${key}" ${REACHABLE_RULE}.`);
  if (options.json && !isJson(value))
    throw usageError(`The value of "${key}" is not JSON. Quote it for the shell, as in '{"a": 1}', or leave out --json.`);
  await withStore(terminal, async ({ store, cipher, audit }) => {
    await setVariable(store, cipher(), { key, value, description: options.description ?? null });
    await audit({ event: "cli_variables_set", extra: { key } });
  });
  terminal.print(`Variable ${key} is set.`);
  if (environmentSecrets().variable(key) !== null)
    terminal.note(`BARAM_VAR_${key.toUpperCase()} is set in this environment and overrides the stored value.`);
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}
