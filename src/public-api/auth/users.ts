import { BaramError } from "../../platform/index.ts";
import { addUser, type Db, findUser } from "../../store/index.ts";
import { checkNobody, hashPassword, isPassword } from "./passwords.ts";
import { isRole, type Role, type User } from "./roles.ts";

const USERNAME = /^[A-Za-z0-9_.@+-]{1,150}$/;
const PASSWORD_MIN_CHARS = 8;

/** Throws `username_invalid`, `password_too_short`, `user_exists`. */
export async function createUser(db: Db, user: { username: string; password: string; role: Role }): Promise<void> {
  if (!USERNAME.test(user.username)) {
    throw new BaramError(
      "username_invalid",
      `"${user.username}" is no user name: use letters, digits and _.@+-, 1 to 150 of them.`,
      {
        username: user.username,
      },
    );
  }
  if (user.password.length < PASSWORD_MIN_CHARS)
    throw new BaramError("password_too_short", `The password must have at least ${PASSWORD_MIN_CHARS} characters.`);
  const passwordHash = await hashPassword(user.password);
  if (!(await addUser(db, { username: user.username, passwordHash, role: user.role })))
    throw new BaramError("user_exists", `There is a user "${user.username}" already.`, { username: user.username });
}

/** Creates the user `admin` if it does not exist; returns whether it did. Several processes may start at once. */
export async function ensureAdmin(db: Db, password: string): Promise<boolean> {
  if (await findUser(db, "admin")) return false;
  return addUser(db, { username: "admin", passwordHash: await hashPassword(password), role: "admin" });
}

/** null = no such user, or a wrong password. Neither the answer nor the response time tells the two cases apart. */
export async function checkLogin(db: Db, username: string, password: string): Promise<User | null> {
  const user = await findUser(db, username);
  const ok = user ? await isPassword(password, user.passwordHash) : await checkNobody(password);
  return ok && user && isRole(user.role) ? { name: user.username, role: user.role } : null;
}
