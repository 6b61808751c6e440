import pg from "pg";
import { BaramError } from "../platform/index.ts";
import { isLoginRefused, isReadOnlyServer, sqlState } from "./faults.ts";

/** Where a database is, for messages; never its password. */
export type Target = { readonly shown: string; readonly user: string; readonly database: string };

/** Reads the settings as the client will. Throws `config_invalid` for a URL that it cannot read. */
export function targetOf(settings: pg.ClientConfig): Target {
  let client: pg.Client;
  try {
    client = new pg.Client(settings);
  } catch (error) {
    const { path, code } = error as NodeJS.ErrnoException;
    if (path !== undefined)
      throw new BaramError("config_invalid", `[database] url names the file ${path}, which cannot be read (${code}).`, { path });
    throw new BaramError(
      "config_invalid",
      "[database] url cannot be read. It must be of the form postgres://user:password@host:port/database, with special characters in user and password percent-encoded (@ is %40, / is %2F, # is %23).",
      {},
      // Its message may quote the URL.
      new Error((error as Error).name),
    );
  }
  const { host, port, user = "", database = "" } = client;
  return { shown: `${host}:${port}/${database}`, user, database };
}

/** The message of `error`. If Node tried several addresses, its own message is empty and theirs are joined. */
export function reasonOf(error: unknown): string {
  const { message, code, errors } = error as { message?: string; code?: string; errors?: readonly Error[] };
  return message || errors?.map((one) => one.message).join("; ") || code || String(error);
}

/** The database cannot be reached, or refuses the login, after all attempts. */
export function unavailable(cause: unknown, target: Target): BaramError {
  const reason = reasonOf(cause);
  if (isLoginRefused(cause)) {
    return new BaramError(
      "database_unavailable",
      `The database server at ${target.shown} refuses the connection: ${reason}. ${remedyOf(cause, reason, target)}`,
      { database: target.shown },
      cause,
    );
  }
  const remedy = isReadOnlyServer(cause)
    ? "It takes no writes: it is a standby, or no longer the primary. Point [database] url at the primary."
    : "Is PostgreSQL running, and [database] url right?";
  return new BaramError(
    "database_unavailable",
    `The database at ${target.shown} cannot be reached: ${reason}. ${remedy}`,
    { database: target.shown },
    cause,
  );
}

function remedyOf(error: unknown, reason: string, { user, database }: Target): string {
  const url = "[database] url (BARAM__DATABASE__URL)";
  if (sqlState(error) === "3D000") return `Make it, with \`createdb ${database}\`, or correct the name in ${url}.`;
  if (sqlState(error) === "28P01") return `Correct user and password in ${url}.`;
  // The file's name stands in the text in any language of the server's.
  if (/pg_hba/.test(reason)) return "Allow this machine, user and database in the server's pg_hba.conf.";
  if (/not permitted to log in/.test(reason))
    return `Allow it, with \`alter role ${user} login\`, or correct the user in ${url}.`;
  if (isRoleFault(error)) return `Make it, with \`createuser ${user}\`, or correct the user in ${url}.`;
  return `Allow it on the server, or correct ${url}.`;
}

/** Where PostgreSQL looks up the role of a login; its text may be in another language. */
function isRoleFault(error: unknown): boolean {
  return (error as { routine?: string }).routine === "InitializeSessionUserId";
}
