import type { Config } from "../../config/index.ts";
import { usageError } from "../errors.ts";
import type { Terminal } from "../terminal.ts";

/**
 * Asked before a command runs a DAG's code in its own process, so that it can be debugged. Throws `usage_invalid` as root if the
 * configuration says that user code is another user's; warns as root otherwise. `isAllowed`: --allow-root.
 */
export function judgeRoot({ workers }: Config, terminal: Terminal, command: string, isAllowed: boolean): void {
  if (process.getuid?.() !== 0) return;
  const user = workers.run_as_user;
  if (user !== null && !isAllowed)
    throw usageError(
      `"baram ${command}" runs the DAG's code in its own process, which is root's, but [workers] run_as_user is ${user}. Run it as another user (su, or setpriv --reuid) with a BARAM_HOME of that user, or add --allow-root if you trust this code.`,
    );
  terminal.note("The DAG's code runs as root: it can read BARAM_HOME and change this machine.");
}
