import { randomBytes, scrypt, timingSafeEqual } from "node:crypto";
import type { HashPool } from "./hash-pool.ts";
import type { HashWork } from "./hash-thread.ts";

/** Cost of one guess: about 60 ms and 32 MB. OWASP's minimum for scrypt with r = 8 and p = 3. */
const COST = { N: 2 ** 15, r: 8, p: 3 };
const MEMORY_MAX_BYTES = 64 * 1024 * 1024;
const SALT_BYTES = 16;
const KEY_BYTES = 32;

/**
 * `scrypt$N$r$p$salt$key`: the cost is stored with the hash, so it can be raised later without breaking old hashes. Only for commands
 * and the start of a server, which hash one password; logins are hashed in the pool.
 */
export async function hashPassword(password: string): Promise<string> {
  const salt = randomBytes(SALT_BYTES);
  const { N, r, p } = COST;
  const key = await new Promise<Buffer>((resolve, reject) => {
    const options = { N, r, p, maxmem: MEMORY_MAX_BYTES };
    scrypt(password, salt, KEY_BYTES, options, (error, made) => (error ? reject(error) : resolve(made)));
  });
  return ["scrypt", N, r, p, salt.toString("base64"), key.toString("base64")].join("$");
}

export async function isPassword(pool: HashPool, password: string, stored: string): Promise<boolean> {
  const [kind, n, r, p, salt, key] = stored.split("$");
  if (kind !== "scrypt" || !salt || !key) return false;
  const expected = Buffer.from(key, "base64");
  const cost = { N: Number(n), r: Number(r), p: Number(p) };
  const actual = await pool.derive(workOf(password, Buffer.from(salt, "base64"), cost));
  return expected.length === actual.length && timingSafeEqual(expected, actual);
}

/** Does the same work as for an existing user, so that the response time does not reveal whether the user exists. */
export async function checkNobody(pool: HashPool, password: string): Promise<false> {
  await pool.derive(workOf(password, randomBytes(SALT_BYTES), COST));
  return false;
}

function workOf(password: string, salt: Uint8Array, cost: { N: number; r: number; p: number }): HashWork {
  return { password, salt, ...cost, keyBytes: KEY_BYTES, maxMemory: MEMORY_MAX_BYTES };
}
