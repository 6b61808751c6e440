import { DESCRIPTION_MAX, ID_RULE, isValidId } from "../../../contracts/index.ts";
import { setPool } from "../../../store/index.ts";
import { usageError } from "../../errors.ts";
import { requireText } from "../../find-things.ts";
import { withStore } from "../../session.ts";
import { shown } from "../../shown.ts";
import type { Terminal } from "../../terminal.ts";

type NewPool = { name: string; slots: number; description: string | null; includeDeferred: boolean };

export async function setOne(terminal: Terminal, { name, slots, description, includeDeferred }: NewPool): Promise<void> {
  if (!isValidId(name)) throw usageError(`The pool's name ${shown(name)} must be made of ${ID_RULE}.`);
  if (description !== null) requireText(description, "The description", DESCRIPTION_MAX);
  await withStore(terminal, async ({ store, audit }) => {
    await setPool(store, { pool: name, slots, description, includeDeferred });
    await audit({ event: "cli_pools_set", extra: { pool: name, slots } });
  });
  terminal.print(`Pool ${name} has ${slots === -1 ? "no limit" : `${slots} slot(s)`}.`);
}
