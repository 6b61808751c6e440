import type { Db } from "../../store.ts";

export type UserRow = { username: string; passwordHash: string; role: string };
/** `tokenVersion`: tokens of the user that carry another one are refused. */
export type StoredUser = UserRow & { tokenVersion: string };

const USER_NAME_LOCK = 727_008;

const one = {
  name: "find-user",
  text: `select username, password_hash as "passwordHash", role, token_version as "tokenVersion" from app_user where username = $1`,
};

export async function findUser(db: Db, username: string): Promise<StoredUser | null> {
  return (await db.query<StoredUser>(one, [username])).rows[0] ?? null;
}

export async function countUsers(db: Db): Promise<number> {
  return (await db.query<{ users: number }>("select count(*)::int as users from app_user")).rows[0]?.users ?? 0;
}

export async function allUsers(db: Db): Promise<{ username: string; role: string; createdAt: Date }[]> {
  const text = `select username, role, created_at as "createdAt" from app_user order by username`;
  return (await db.query<{ username: string; role: string; createdAt: Date }>(text)).rows;
}

/** Until the end of the transaction, no other one creates a user whose name differs only in case. */
export async function lockUserName(tx: Db, username: string): Promise<void> {
  await tx.query("select pg_advisory_xact_lock($1, hashtext(lower($2)))", [USER_NAME_LOCK, username]);
}

/** The user with this name in any case; the same case first. */
export async function findUserInAnyCase(tx: Db, username: string): Promise<string | null> {
  const text = "select username from app_user where lower(username) = lower($1) order by username = $1 desc limit 1";
  return (await tx.query<{ username: string }>(text, [username])).rows[0]?.username ?? null;
}

/** Returns false if the name is taken; nothing was written then. */
export async function addUser(db: Db, user: UserRow): Promise<boolean> {
  const { rowCount } = await db.query(
    "insert into app_user (username, password_hash, role) values ($1, $2, $3) on conflict (username) do nothing",
    [user.username, user.passwordHash, user.role],
  );
  return rowCount === 1;
}

/** The users with this role, locked: who changes one of them must know that another one stays. In name order, against deadlocks. */
export async function lockUsersOfRole(tx: Db, role: string): Promise<string[]> {
  const text = "select username from app_user where role = $1 order by username for update";
  return (await tx.query<{ username: string }>(text, [role])).rows.map(({ username }) => username);
}

/** Returns false if there is no such user, as the next two. */
export async function setUserRole(db: Db, username: string, role: string): Promise<boolean> {
  return (await db.query("update app_user set role = $2 where username = $1", [username, role])).rowCount === 1;
}

/** Ends the user's tokens, too. */
export async function setUserPassword(db: Db, username: string, passwordHash: string): Promise<boolean> {
  const text = "update app_user set password_hash = $2, token_version = gen_random_uuid() where username = $1";
  return (await db.query(text, [username, passwordHash])).rowCount === 1;
}

export async function deleteUser(db: Db, username: string): Promise<boolean> {
  return (await db.query("delete from app_user where username = $1", [username])).rowCount === 1;
}
