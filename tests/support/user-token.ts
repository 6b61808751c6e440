import type { Tokens } from "../../src/platform/index.ts";
import type { Role } from "../../src/public-api/index.ts";
import { addUser, type Db, findUser } from "../../src/store/index.ts";

type TestUser = { username: string; role: Role };

/** A token of the user, who is made if there is none of that name. */
export async function signUserToken(db: Db, tokens: Tokens, user: TestUser, ttlSec = 3_600): Promise<string> {
  return tokens.sign("baram:user", { subject: user.username, version: await keepUser(db, user) }, ttlSec);
}

/** Makes the user if there is none of that name, with a password that fits nothing; returns the version of its tokens. */
export async function keepUser(db: Db, { username, role }: TestUser): Promise<string | undefined> {
  await addUser(db, { username, passwordHash: "none", role });
  return (await findUser(db, username))?.tokenVersion;
}
