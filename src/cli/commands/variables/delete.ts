import { deleteVariable } from "../../../store/index.ts";
import { notFound } from "../../errors.ts";
import { withStore } from "../../session.ts";
import { shown } from "../../shown.ts";
import type { Terminal } from "../../terminal.ts";

export async function deleteOne(terminal: Terminal, key: string): Promise<void> {
  await withStore(terminal, async ({ store, audit }) => {
    if (!(await deleteVariable(store, key))) throw notFound("variable", `There is no variable ${shown(key)} to delete.`);
    await audit({ event: "cli_variables_delete", extra: { key } });
  });
  terminal.print(`Variable ${key} is deleted.`);
}
