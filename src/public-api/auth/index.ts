export { type ApiEnv, authenticate, tokenMissing, userOf } from "./authenticate.ts";
export { createHashPool, type HashPool } from "./hash-pool.ts";
export { createKnownUsers, type KnownUsers } from "./known-users.ts";
export { mayAct, ROLES, type Role, type User } from "./roles.ts";
export { changePassword, changeRole, createUser, ensureAdmin, removeUser } from "./users.ts";
