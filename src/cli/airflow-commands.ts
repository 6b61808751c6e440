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

const ONE_FOLDER = "there is one DAG folder: set [core] dags_folder";
const FOREGROUND = "roles run in the foreground and log to stderr: let a service manager run them in the background";
const NO_CELERY = "it is an option of Celery: see docs/executors/queue.md";
const ONE_PROCESS = "an API server is one process: start several behind a load balancer";
const NO_TLS = "Baram speaks plain HTTP: let a reverse proxy serve TLS, see docs/production.md";
const BY_FILE = "use --password-file PATH or --password-stdin, as others can see arguments";
const MIGRATIONS = '"baram db migrate" runs all migrations, and there is no way back: restore a backup';

/** Flags of Airflow's command line that Baram lacks, by the flag or by the command and the flag, and what to do instead. */
export const INSTEAD_OF_FLAGS: Readonly<Record<string, string>> = {
  "-v": "use --verbose",
  "-S": ONE_FOLDER,
  "--subdir": ONE_FOLDER,
  "-B": ONE_FOLDER,
  "--bundle-name": ONE_FOLDER,
  "-D": FOREGROUND,
  "--daemon": FOREGROUND,
  "--pid": FOREGROUND,
  "--log-file": FOREGROUND,
  "--stdout": FOREGROUND,
  "--stderr": FOREGROUND,
  "--columns": "use -o json, and pick the columns with a program such as jq",
  "--no-backfill": 'see the run_type in "baram dags list-runs DAG_ID -o json"',
  "--exec-date": "use --logical-date",
  "--execution-date": "use --logical-date",
  "--replace-microseconds": "a logical date is kept as it is given",
  "--user-name": "the audit log has the user of the operating system",
  "--show-dagrun": 'see "baram tasks list DAG_ID --tree"',
  "--save-dagrun": 'see "baram tasks list DAG_ID --tree"',
  "--imgcat-dagrun": 'see "baram tasks list DAG_ID --tree"',
  "--use-executor": '"baram dags test" runs all tasks in its own process; "baram dags trigger DAG_ID" uses the executor',
  "--mark-success-pattern": '"baram dags test" runs all tasks; set states in a run by REST',
  "--dag-regex": "name one DAG",
  "-R": "name one DAG",
  "--exclude-subdags": "Baram has no subDAGs",
  "--exclude-parentdag": "Baram has no subDAGs",
  "--num-runs": "a scheduler runs until it is stopped",
  "--do-pickle": "tasks exchange only JSON",
  "--skip-serve-logs": "logs are read from [logging] base_log_folder or a remote store by the API server",
  "--workers": ONE_PROCESS,
  "--worker-timeout": ONE_PROCESS,
  "--ssl-cert": NO_TLS,
  "--ssl-key": NO_TLS,
  "--access-logfile": "the API server logs requests to stderr",
  "--celery-hostname": "use --name",
  "--umask": "set the umask in the service manager",
  "--without-mingle": NO_CELERY,
  "--without-gossip": NO_CELERY,
  "--to-version": MIGRATIONS,
  "--to-revision": MIGRATIONS,
  "--from-version": MIGRATIONS,
  "--from-revision": MIGRATIONS,
  "--show-sql-only": MIGRATIONS,
  "--migration-wait-timeout": 'use "baram db check" in a loop',
  "--retry": 'call "baram db check" in a loop',
  "--retry-delay": 'call "baram db check" in a loop',
  "--job-type": 'see "baram jobs check --help"',
  "--include-descriptions": "docs/options.md describes all options",
  "--include-examples": "docs/options.md describes all options",
  "--include-env-vars": "docs/options.md names the environment variable of each option",
  "--include-providers": "docs/options.md describes all options",
  "--exclude-providers": "docs/options.md describes all options",
  "--comment-out-everything": "docs/options.md describes all options",
  "--color": "the output has no colours",
  "--hide-sensitive": "secrets are hidden unless --show-values or --show-secrets is given",
  "--show-values": "use --show-secrets",
  "--anonymize": '"baram info" shows no secrets',
  "users set-role --username": "give the user name as an argument",
  "users set-password --username": "give the user name as an argument",
  "users set-password --password": BY_FILE,
  "users set-password -p": BY_FILE,
};

/** What to do instead of a flag that Baram does not know, or null. `message`: commander's. */
export function hintForFlag(args: readonly string[], message: string): string | null {
  const flag = /unknown option '(-{1,2}[^'=]+)/.exec(message)?.[1];
  if (flag === undefined) return null;
  const command = args.filter((arg) => !arg.startsWith("-")).slice(0, 2);
  const name = [`${command.join(" ")} ${flag}`, flag].find((one) => Object.hasOwn(INSTEAD_OF_FLAGS, one));
  return name === undefined ? null : `${flag} is an option of Airflow that Baram does not have: ${INSTEAD_OF_FLAGS[name]}.`;
}

/** The refusal of a command line of Airflow that Baram does not know, or null. */
export function refuseAirflowCommand(args: readonly string[]): string | null {
  const [group = "", command = ""] = args.filter((arg) => !arg.startsWith("-"));
  const name = [`${group} ${command}`, group].find((one) => Object.hasOwn(INSTEAD_OF_COMMANDS, one));
  return name === undefined ? null : `There is no command "baram ${name}": ${INSTEAD_OF_COMMANDS[name]}.`;
}
