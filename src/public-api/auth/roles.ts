/**
 * The roles and their rights, as in Airflow's SimpleAuthManager. viewer reads DAGs, runs, logs and pools. user also triggers,
 * clears, marks, pauses and deletes them. op also changes pools, and reads and writes connections and variables. admin may do
 * everything.
 */
export const ROLES = ["viewer", "user", "op", "admin"] as const;
export type Role = (typeof ROLES)[number];

export type User = { name: string; role: Role };

export function isRole(text: string | undefined): text is Role {
  return text !== undefined && (ROLES as readonly string[]).includes(text);
}

export function mayAct(role: Role, needed: Role): boolean {
  return ROLES.indexOf(role) >= ROLES.indexOf(needed);
}
