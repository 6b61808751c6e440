import { loadConfig, readJwtSecret } from "../../../config/index.ts";
import { createTokens } from "../../../platform/index.ts";
import type { Terminal } from "../../terminal.ts";

const DAY_SEC = 86_400;

export async function printToken(terminal: Terminal, { days }: { days: number }): Promise<void> {
  const tokens = createTokens(readJwtSecret(loadConfig(), { make: false }));
  terminal.print(await tokens.sign("baram:worker", { subject: "worker" }, days * DAY_SEC));
}
