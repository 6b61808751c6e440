import type { Clock } from "../../platform/index.ts";
import { type Db, findUser } from "../../store/index.ts";
import { isRole, type Role } from "./roles.ts";

export type KnownUser = { role: Role; tokenVersion: string };
export type KnownUsers = {
  /** null: there is no such user any more, or its role is unknown. */
  get(username: string): Promise<KnownUser | null>;
};

const FRESH_MS = 1_000;
const USERS_MAX = 1_000;

/**
 * The users as their rows have them, at most a second old. A token says who asks; the row says whether that user still exists, has still
 * the password that the token was given for, and may do what. So a change counts within a second in every API server, for one statement
 * per user and second.
 */
export function createKnownUsers(db: Db, clock: Clock): KnownUsers {
  const users = new Map<string, { at: number; row: Promise<KnownUser | null> }>();
  const forget = () => {
    const { value: oldest } = users.keys().next();
    if (users.size > USERS_MAX && oldest !== undefined) users.delete(oldest);
  };
  return {
    get(username) {
      const known = users.get(username);
      const ageMs = clock.now() - (known?.at ?? 0);
      // A clock that was set back must not keep an old row.
      if (known && ageMs >= 0 && ageMs < FRESH_MS) return known.row;
      // The age counts from the start of the statement, which does not see later changes.
      const entry = { at: clock.now(), row: read(db, username) };
      users.delete(username);
      users.set(username, entry);
      forget();
      // A failed statement is not remembered: the next request tries anew.
      entry.row.catch(() => users.get(username) === entry && users.delete(username));
      return entry.row;
    },
  };
}

async function read(db: Db, username: string): Promise<KnownUser | null> {
  const user = await findUser(db, username);
  return user && isRole(user.role) ? { role: user.role, tokenVersion: user.tokenVersion } : null;
}
