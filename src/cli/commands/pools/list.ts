import { allPools } from "../../../store/index.ts";
import { formatRows } from "../../output/index.ts";
import { withStore } from "../../session.ts";
import type { Terminal } from "../../terminal.ts";
import type { OutputOptions } from "../flags.ts";
import { POOL_COLUMNS, poolRow } from "./pool-row.ts";

export function listAll(terminal: Terminal, { output }: OutputOptions): Promise<void> {
  return withStore(terminal, async ({ store }) => {
    terminal.print(formatRows((await allPools(store)).map(poolRow), POOL_COLUMNS, output));
  });
}
