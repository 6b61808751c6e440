import { loadConfig, readJwtSecret } from "../../../config/index.ts";
import { workerGrantSchema } from "../../../contracts/index.ts";
import { createTokens } from "../../../platform/index.ts";
import { usageError } from "../../errors.ts";
import type { Terminal } from "../../terminal.ts";

const DAY_SEC = 86_400;

export async function printToken(terminal: Terminal, { name, days }: { name: string; days: number }): Promise<void> {
  const grant = workerGrantSchema.safeParse(name);
  if (!grant.success) throw usageError(`--name is "${name}", and ${grant.error.issues[0]?.message}.`);
  const tokens = createTokens(readJwtSecret(loadConfig(), { make: false }));
  terminal.print(await tokens.sign("baram:worker", { subject: grant.data }, days * DAY_SEC));
}
