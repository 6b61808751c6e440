import { systemUser } from "../../../platform/index.ts";
import { type BackfillChange, changeBackfill } from "../../../scheduler/commands/index.ts";
import { findBackfill } from "../../../store/index.ts";
import { formatRecord } from "../../output/index.ts";
import { withStore } from "../../session.ts";
import type { Terminal } from "../../terminal.ts";
import type { OutputOptions } from "../flags.ts";
import { backfillRow } from "./backfill-row.ts";

export function changeOne(terminal: Terminal, id: number, change: BackfillChange, { output }: OutputOptions): Promise<void> {
  return withStore(terminal, async ({ store, config, audit }) => {
    const dagId = await changeBackfill(store, id, change, { user: systemUser() });
    await audit({ event: `cli_backfill_${change}`, dagId, extra: { backfill_id: id } });
    const changed = await findBackfill(store, id);
    if (changed) terminal.print(formatRecord(backfillRow(changed, config), output));
  });
}
