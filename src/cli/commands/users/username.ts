import { usageError } from "../../errors.ts";

/** As an argument, or with Airflow's flag. */
export type UsernameOption = { username?: string };

/** Throws `usage_invalid` for none and for two. */
export function usernameOf(argument: string | undefined, { username }: UsernameOption): string {
  if (argument !== undefined && username !== undefined)
    throw usageError("The user name is given twice: as an argument and with --username. Give one.");
  const given = argument ?? username;
  if (given === undefined) throw usageError("The user name is missing: give it as an argument, or with --username.");
  return given;
}
