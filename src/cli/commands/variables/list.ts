import { allVariables } from "../../../store/index.ts";
import { formatRows } from "../../output/index.ts";
import { withStore } from "../../session.ts";
import type { Terminal } from "../../terminal.ts";
import type { OutputOptions } from "../flags.ts";

export type ListOptions = OutputOptions & { showValues: boolean };

export function listAll(terminal: Terminal, { showValues, output }: ListOptions): Promise<void> {
  return withStore(terminal, async ({ store, cipher, audit }) => {
    const variables = await allVariables(store, cipher());
    // Before they are printed: what cannot be recorded is not shown.
    if (showValues) await audit({ event: "cli_variables_list", extra: { keys: variables.map(({ key }) => key) } });
    const rows = variables.map(({ key, value, description }) => ({
      key,
      value: showValues ? value : "***",
      description,
    }));
    terminal.print(formatRows(rows, ["key", "value", "description"], output));
  });
}
