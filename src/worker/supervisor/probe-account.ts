import { spawnSync } from "node:child_process";
import { type Account, commandAs } from "../../platform/index.ts";

export type AccountProbe = {
  /** Paths that the account cannot use as it must. */
  readonly unreadable: readonly string[];
  readonly unwritable: readonly string[];
  /** Paths that it can read or enter though it must not. */
  readonly exposed: readonly string[];
  /** Why no process of the account could be started; null = it ran. */
  readonly fault: string | null;
};

/** Each line of output is a finding. A folder is usable if it can be entered and listed. */
const SCRIPT = `
for path in $READ; do if [ -d "$path" ]; then [ -r "$path" ] && [ -x "$path" ]; else [ -r "$path" ]; fi || echo "unreadable $path"; done
for path in $WRITE; do [ -w "$path" ] && [ -x "$path" ] || echo "unwritable $path"; done
for path in $CLOSED; do if [ -r "$path" ] || [ -w "$path" ]; then echo "exposed $path"; fi; done
echo done`;

/** Asks the kernel, as the account, what it may do: modes, groups and access lists of every folder above count too. */
export function probeAccount(
  account: Account,
  paths: { readonly read: readonly string[]; readonly write: readonly string[]; readonly closed: readonly string[] },
): AccountProbe {
  const lists = { READ: paths.read.join("\n"), WRITE: paths.write.join("\n"), CLOSED: paths.closed.join("\n") };
  // Paths may contain spaces, so only a line end separates them.
  const start = commandAs(account, "/bin/sh", ["-f", "-c", `IFS='\n'${SCRIPT}`], { PATH: "/usr/bin:/bin", ...lists });
  const { stdout, stderr, error } = spawnSync(start.command, start.args, { ...start.options, encoding: "utf8", timeout: 30_000 });
  const lines = stdout?.split("\n") ?? [];
  const found = (kind: string) => lines.filter((line) => line.startsWith(`${kind} `)).map((line) => line.slice(kind.length + 1));
  const fault = lines.includes("done") ? null : (error?.message ?? (stderr?.trim() || "its process ended early"));
  return { unreadable: found("unreadable"), unwritable: found("unwritable"), exposed: found("exposed"), fault };
}
