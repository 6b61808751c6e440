import { BaramError } from "../../platform/index.ts";
import {
  addUser,
  countUsers,
  type Db,
  deleteUser,
  findUser,
  findUserInAnyCase,
  lockUserName,
  lockUsersOfRole,
  type Store,
  setUserPassword,
  setUserRole,
} from "../../store/index.ts";
import type { HashPool } from "./hash-pool.ts";
import { checkNobody, hashPassword, isPassword } from "./passwords.ts";
import { isRole, type Role, type User } from "./roles.ts";

const USERNAME = /^[A-Za-z0-9_.@+-]{1,150}$/;
const PASSWORD_MIN_CHARS = 8;
export const PASSWORD_MAX_CHARS = 1_000;

/**
 * Throws `username_invalid`, `password_too_short`, `password_too_long`, `user_exists`. Also for a name that differs only in case: a reader
 * of a list or of the audit log would take "ADMIN" for "admin". Users that exist already stay.
 */
export async function createUser(store: Store, user: { username: string; password: string; role: Role }): Promise<void> {
  const { username, password, role } = user;
  if (!USERNAME.test(username)) {
    throw new BaramError("username_invalid", `"${username}" is no user name: use letters, digits and _.@+-, 1 to 150 of them.`, {
      username,
    });
  }
  checkPassword(password);
  const taken = await addUnlessTaken(store, { username, passwordHash: await hashPassword(password), role });
  if (taken === null) return;
  const message =
    taken === username
      ? `There is a user "${username}" already.`
      : `There is a user "${taken}", which differs only in case from "${username}". Choose another name.`;
  throw new BaramError("user_exists", message, { username, taken });
}

/** The name that is in the way, or null if the user was added. */
function addUnlessTaken(store: Store, user: { username: string; passwordHash: string; role: Role }): Promise<string | null> {
  return store.transaction(async (tx) => {
    await lockUserName(tx, user.username);
    const taken = await findUserInAnyCase(tx, user.username);
    if (taken !== null) return taken;
    return (await addUser(tx, user)) ? null : user.username;
  });
}

/** Ends the user's tokens: they are refused within a second. Throws `user_not_found`, `password_too_short`, `password_too_long`. */
export async function changePassword(db: Db, username: string, password: string): Promise<void> {
  checkPassword(password);
  if (!(await setUserPassword(db, username, await hashPassword(password)))) throw noSuchUser(username);
}

/** The user's tokens have the new role within a second. Throws `user_not_found` and `last_admin`. */
export async function changeRole(store: Store, username: string, role: Role): Promise<void> {
  await store.transaction(async (tx) => {
    if (role !== "admin") await keepAnAdmin(tx, username);
    if (!(await setUserRole(tx, username, role))) throw noSuchUser(username);
  });
}

/** The user's tokens are refused within a second. Throws `user_not_found` and `last_admin`. */
export async function removeUser(store: Store, username: string): Promise<void> {
  await store.transaction(async (tx) => {
    await keepAnAdmin(tx, username);
    if (!(await deleteUser(tx, username))) throw noSuchUser(username);
  });
}

/** Two commands at once cannot remove the last two: the second one waits for the lock, and finds one admin. */
async function keepAnAdmin(tx: Db, username: string): Promise<void> {
  const admins = await lockUsersOfRole(tx, "admin");
  if (admins.length !== 1 || admins[0] !== username) return;
  throw new BaramError(
    "last_admin",
    `"${username}" is the only user with the role admin, and nobody could give the role to another one. Create another admin first.`,
    { username },
  );
}

/**
 * Creates the user `admin` if there is no user at all; returns whether it did. Not if only the name is missing: an admin that was
 * deleted must not come back with the next start. Several processes may start at once.
 */
export async function ensureAdmin(store: Store, password: () => string): Promise<boolean> {
  if ((await countUsers(store)) > 0) return false;
  const admin = { username: "admin", passwordHash: await hashPassword(password()), role: "admin" } as const;
  return (await addUnlessTaken(store, admin)) === null;
}

/** `tokenVersion`: for the token, see `createKnownUsers`. */
export type LoggedIn = User & { tokenVersion: string };

/** null = no such user, or a wrong password. Neither the answer nor the response time tells the two cases apart. */
export async function checkLogin(db: Db, pool: HashPool, username: string, password: string): Promise<LoggedIn | null> {
  const user = await findUser(db, username);
  const ok = user ? await isPassword(pool, password, user.passwordHash) : await checkNobody(pool, password);
  return ok && user && isRole(user.role) ? { name: user.username, role: user.role, tokenVersion: user.tokenVersion } : null;
}

function checkPassword(password: string): void {
  if (password.length < PASSWORD_MIN_CHARS)
    throw new BaramError("password_too_short", `The password must have at least ${PASSWORD_MIN_CHARS} characters.`);
  if (password.length > PASSWORD_MAX_CHARS)
    throw new BaramError("password_too_long", `The password may have ${PASSWORD_MAX_CHARS} characters at most.`);
}

function noSuchUser(username: string): BaramError {
  return new BaramError("user_not_found", `There is no user "${username}". "baram users list" lists the users.`, { username });
}
