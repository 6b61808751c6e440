import type { Db } from "../../store.ts";

export type UserRow = { username: string; passwordHash: string; role: string };

const one = {
  name: "find-user",
  text: `select username, password_hash as "passwordHash", role from app_user where username = $1`,
};

export async function findUser(db: Db, username: string): Promise<UserRow | null> {
  return (await db.query<UserRow>(one, [username])).rows[0] ?? null;
}

/** Returns false if the name is taken; nothing was written then. */
export async function addUser(db: Db, user: UserRow): Promise<boolean> {
  const { rowCount } = await db.query(
    "insert into app_user (username, password_hash, role) values ($1, $2, $3) on conflict (username) do nothing",
    [user.username, user.passwordHash, user.role],
  );
  return rowCount === 1;
}
