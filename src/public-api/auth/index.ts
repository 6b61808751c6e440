export { type ApiEnv, authenticate } from "./authenticate.ts";
export { mayAct, type Role, type User } from "./roles.ts";
export { createUser, ensureAdmin } from "./users.ts";
