import { toStorable } from "../../contracts/index.ts";
import { type Clock, type Logger, startTimer, toError } from "../../platform/index.ts";
import { type Db, findUser, logEvent } from "../../store/index.ts";
import { createBuckets } from "./login-limits.ts";

export type LoginAudit = {
  /** `reason`: a wrong name or password, or refused by a limit without a look at the password. */
  failed(login: { username: string; address: string; reason: "wrong" | "limited" }): Promise<void>;
};

/** Rows of one process: 20 at once, then 20 a minute. */
const ROWS = { burst: 20, perMinute: 20 };
const SUMMARY_AFTER_MS = 60_000;

/**
 * Failed logins in the audit log. A flood must not fill the table: what goes over the limit of rows is counted, and a minute later one
 * row tells the number.
 */
export function createLoginAudit(db: Db, clock: Clock, logger: Logger, summaryAfterMs: number = SUMMARY_AFTER_MS): LoginAudit {
  const rows = createBuckets(clock, ROWS);
  let unwritten = 0;

  async function write(extra: Record<string, string | number>): Promise<void> {
    try {
      await logEvent(db, { event: "login_failed", extra });
    } catch (error) {
      logger.warn({ error: toError(error).message }, "a failed login could not be written to the audit log");
    }
  }

  /** A name that nobody has may be a password that was typed into the wrong field. */
  async function nameOf(username: string): Promise<{ username?: string }> {
    const user = await findUser(db, toStorable(username)).catch(() => null);
    return user === null ? {} : { username: user.username };
  }

  return {
    async failed({ username, address, reason }) {
      if (rows.waitSec("") === 0) {
        rows.take("");
        return write({ ...(await nameOf(username)), address, reason });
      }
      unwritten++;
      if (unwritten > 1) return;
      startTimer(summaryAfterMs, () => {
        const failures = unwritten;
        unwritten = 0;
        void write({ failures, reason: "flood" });
      }).unref();
    },
  };
}
