import { allVariables } from "../../../store/index.ts";
import { formatRows } from "../../output/index.ts";
import { withStore } from "../../session.ts";
import type { Terminal } from "../../terminal.ts";
import type { OutputOptions } from "../flags.ts";

export type ListOptions = OutputOptions & { showValues: boolean };

export function listAll(terminal: Terminal, { showValues, output }: ListOptions): Promise<void> {
  return withStore(terminal, async ({ store, cipher }) => {
    const rows = (await allVariables(store, cipher())).map(({ key, value, description }) => ({
      key,
      value: showValues ? value : "***",
      description,
    }));
    terminal.print(formatRows(rows, ["key", "value", "description"], output));
  });
}
