/**
 * Commands of Airflow's command line that Baram lacks or has under another name, and what to do instead. "Did you mean list?" is
 * no help to someone who knows what `tasks test` does.
 */
const DEBUG = 'run the DAG in one process with "baram dags test DAG_ID"';
const RUNS_WORK =
  'only the scheduler starts tasks: "baram tasks clear DAG_ID -t TASK_ID" runs one again, "baram dags trigger DAG_ID" runs all';
const NO_COPY = "set the items one by one, or by REST";

export const INSTEAD_OF_COMMANDS: Readonly<Record<string, string>> = {
  "tasks test": DEBUG,
  "tasks run": RUNS_WORK,
  "tasks state": 'see "baram tasks states-for-dag-run DAG_ID RUN_ID"',
  "tasks failed-deps": 'see "baram tasks states-for-dag-run DAG_ID RUN_ID" and "baram dags list-warnings"',
  "dags backfill": 'use "baram backfill create --dag-id DAG_ID --from-date DATE --to-date DATE"',
  "dags list-jobs": 'see "baram jobs check" for roles and "baram dags list-runs DAG_ID" for runs',
  "dags report": 'see "baram dags list-import-errors", and the metrics of the dag-processor',
  "dags show": 'see "baram tasks list DAG_ID --tree"',
  "dags show-dependencies": 'see "baram tasks list DAG_ID --tree" for the tasks of a DAG',
  "db init": 'use "baram db migrate"; "baram standalone" does it by itself',
  "db upgrade": 'use "baram db migrate"',
  "db check-migrations": 'use "baram db check"',
  "db clean": "automatic deletion of old data is not available yet; delete runs by REST, or DAGs with baram dags delete",
  "db shell": "open the database with a client such as psql",
  "jobs list": 'use "baram jobs check"',
  "connections test": "read the connection in a task and call its service",
  "connections import": NO_COPY,
  "connections export": NO_COPY,
  "variables import": NO_COPY,
  "variables export": NO_COPY,
  "pools import": NO_COPY,
  "pools export": NO_COPY,
  "celery worker": 'use "baram worker", see docs/executors/queue.md',
  "celery flower": 'use "baram monitor"',
  "users reset-password": 'use "baram users set-password USERNAME"',
  "users add-role": 'use "baram users set-role USERNAME --role ROLE": a user has one role',
  "users remove-role": 'use "baram users set-role USERNAME --role ROLE": a user has one role',
  "users import": 'create the users one by one with "baram users create"',
  "users export": 'see "baram users list -o json"',
  roles: 'the roles are viewer, user, op and admin: "baram users set-role USERNAME --role ROLE" gives one',
  webserver: 'use "baram api-server", or "baram standalone" for all roles',
  "cheat-sheet": 'see "baram --help"',
  plugins: "Baram has no plugins",
  providers: "operators are imported from baram/operators and baram/providers",
  "rotate-fernet-key": "the encryption key cannot be changed by a command yet",
  kerberos: "Baram has no Kerberos",
};

/** The refusal of a command line of Airflow that Baram does not know, or null. */
export function refuseAirflowCommand(args: readonly string[]): string | null {
  const [group = "", command = ""] = args.filter((arg) => !arg.startsWith("-"));
  const name = [`${group} ${command}`, group].find((one) => Object.hasOwn(INSTEAD_OF_COMMANDS, one));
  return name === undefined ? null : `There is no command "baram ${name}": ${INSTEAD_OF_COMMANDS[name]}.`;
}
