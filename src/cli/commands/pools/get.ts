import { findPool } from "../../../store/index.ts";
import { notFound } from "../../errors.ts";
import { formatRecord } from "../../output/index.ts";
import { withStore } from "../../session.ts";
import { shown } from "../../shown.ts";
import type { Terminal } from "../../terminal.ts";
import type { OutputOptions } from "../flags.ts";
import { poolRow } from "./pool-row.ts";

export function getOne(terminal: Terminal, name: string, { output }: OutputOptions): Promise<void> {
  return withStore(terminal, async ({ store }) => {
    const pool = await findPool(store, name);
    if (!pool) throw notFound("pool", `There is no pool ${shown(name)}. Run "baram pools list" to list the pools.`);
    terminal.print(formatRecord(poolRow(pool), output));
  });
}
