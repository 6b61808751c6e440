import { environmentSecrets, loadConfig, sensitiveNames } from "../../../config/index.ts";
import { DESCRIPTION_MAX, isReachable, jsonValueSchema, REACHABLE_RULE, VARIABLE_KEY_MAX } from "../../../contracts/index.ts";
import { createNameRule } from "../../../platform/index.ts";
import { setVariable } from "../../../store/index.ts";
import { usageError } from "../../errors.ts";
import { requireText } from "../../find-things.ts";
import { argumentWarning, readSecretFile } from "../../read-secret.ts";
import { withStore } from "../../session.ts";
import { shown } from "../../shown.ts";
import type { Terminal } from "../../terminal.ts";

export type SetOptions = { description?: string; json: boolean; serializeJson: boolean; valueFile?: string };

export async function setOne(terminal: Terminal, key: string, given: string | undefined, options: SetOptions): Promise<void> {
  requireText(key, "The variable's key", VARIABLE_KEY_MAX, 1);
  if (options.description !== undefined) requireText(options.description, "--description", DESCRIPTION_MAX);
  if (!isReachable(key)) throw usageError(`The variable's key "${key}" ${REACHABLE_RULE}.`);
  const value = await readValue(key, given, options.valueFile);
  if ((options.json || options.serializeJson) && !isJson(value))
    throw usageError(
      `The value of "${key}" is not JSON: ${value.slice(0, 100)}. Quote it for the shell, as in '{"a": 1}', or leave out --${options.json ? "json" : "serialize-json"}.`,
    );
  await withStore(terminal, async ({ store, cipher, audit }) => {
    await setVariable(store, cipher(), { key, value, description: options.description ?? null });
    await audit({ event: "cli_variables_set", extra: { key } });
  });
  terminal.print(`Variable ${key} is set.`);
  const isSensitive = createNameRule(sensitiveNames(loadConfig()));
  if (given !== undefined && isSensitive(key)) terminal.note(argumentWarning(`The value of "${key}"`, "--value-file"));
  if (environmentSecrets().variable(key) !== null)
    terminal.note(`BARAM_VAR_${key.toUpperCase()} is set in this environment and overrides the stored value.`);
}

async function readValue(key: string, given: string | undefined, file: string | undefined): Promise<string> {
  if ((given === undefined) === (file === undefined))
    throw usageError(`Give the value of ${shown(key)} in exactly one way: as an argument, or with --value-file.`);
  return given ?? readSecretFile(file ?? "-", "--value-file");
}

/** What JSON.parse makes of 1e999 is no number that a task could pass on. */
function isJson(text: string): boolean {
  try {
    return jsonValueSchema.safeParse(JSON.parse(text)).success;
  } catch {
    return false;
  }
}
