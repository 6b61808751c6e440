import { fork } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { COUNT_MAX, DURATION_MAX_SEC } from "../contracts/index.ts";
import { findPackageRoot } from "../platform/index.ts";
import {
  EVERYTHING,
  environmentForUserCode,
  environmentSecrets,
  loadConfig,
  OPTIONS,
  readEncryptionKey,
  readJwtSecret,
} from "./index.ts";
import { variableFor } from "./load.ts";
import type { OptionSpec } from "./option-spec.ts";
import { renamedTargets } from "./renamed-options.ts";

let home: string;
beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), "baram config "));
});
afterEach(() => rmSync(home, { recursive: true, force: true }));

const load = (environment: Record<string, string> = {}) => loadConfig({ BARAM_HOME: home, ...environment }, "/somewhere");
const toml = (text: string) => writeFileSync(join(home, "baram.toml"), text);
const every = Object.entries(OPTIONS).flatMap(([section, names]) =>
  Object.entries<OptionSpec>(names).map(([name, spec]) => ({ section, name, spec, variable: variableFor(section, name) })),
);

/** Values that this option must reject. */
function badValues(spec: OptionSpec): string[] {
  if (spec.kind === "bool") return ["maybe", "2"];
  if (spec.kind === "string") return spec.values || spec.form ? ["something; else"] : [];
  const bad = ["many", "NaN", "Infinity", "1 2"];
  if (spec.kind === "int") bad.push("1.5");
  if (spec.min !== undefined) bad.push(String(spec.min - 1));
  bad.push(String((spec.max ?? (spec.unit === "s" ? DURATION_MAX_SEC : COUNT_MAX)) + 1), "99999999999999");
  return bad;
}

test("every bad value of every option is refused with the option's name and what it must be", () => {
  let count = 0;
  for (const { spec, variable } of every) {
    for (const bad of badValues(spec)) {
      count++;
      expect(() => load({ [variable]: bad }), `${variable}=${bad}`).toThrow(new RegExp(`^${variable} is .+, but must be .+\\.$`));
    }
  }
  expect(count).toBeGreaterThan(100);
});

test("a bad value in the file is refused with its section, name and file, also one of the wrong TOML type", () => {
  toml("[core]\nparallelism = 'many'");
  expect(() => load()).toThrow("[core] parallelism in baram.toml");
  toml("[core]\ndags_folder = 7");
  expect(() => load()).toThrow("[core] dags_folder in baram.toml is 7, but must be a string");
  toml("[core]\nparallelism = [1]");
  expect(() => load()).toThrow("[core] parallelism");
  toml("[core]\nparallelism = 3\nport == 4\n");
  expect(() => load()).toThrow(/baram\.toml:3:\d+ is not valid TOML: .+/);
});

test("unknown options are refused, in the environment and in the file, whatever stands in the section's place", () => {
  expect(() => load({ BARAM__CORE__PARALELISM: "3" })).toThrow("BARAM__CORE__PARALELISM is not an option");
  for (const text of ["[core]\nparalelism = 3", "[nowhere]\nx = 1", "parallelism = 3", "core = 3", "[nowhere]"]) {
    toml(text);
    expect(() => load(), text).toThrow(
      expect.objectContaining({ code: expect.stringMatching(/^config_(unknown_option|invalid)$/) }),
    );
  }
});

test("a misspelt name or word is told with the one that was meant", () => {
  const refusals: readonly [text: string, message: string][] = [
    ["[core]\nparalelism = 3", "Did you mean [core] parallelism?"],
    ["[core]\ndagsFolder = 'x'", "Did you mean [core] dags_folder?"],
    ["[shceduler]\nx = 1", "Did you mean [scheduler]?"],
    ["[core]\nmax_tis_per_query = 7", "Did you mean [scheduler] max_tis_per_query?"],
    ["[core]\ndefault_task_weight_rule = 'upstreem'", 'downstream, upstream, absolute. Did you mean "upstream"?'],
  ];
  for (const [text, message] of refusals) {
    toml(text);
    expect(() => load(), text).toThrow(message);
  }
  toml("");
  expect(() => load({ BARAM__CORE__PARALELISM: "3" })).toThrow("Did you mean BARAM__CORE__PARALLELISM?");
  expect(() => load({ BARAM__NOWHERE__NOTHING: "3" })).toThrow(/of Baram\. Remove it, or see/);
});

test("an option that Airflow calls otherwise is told with Baram's name, and never with the section that it stands in", () => {
  for (const [text, message] of [
    ["[core]\nsql_alchemy_conn = 'x'", "[core] sql_alchemy_conn"],
    ["[core]\ndag_concurrency = 16", "Did you mean [core] max_active_tasks_per_dag?"],
    ["[database]\nsql_alchemy_conn = 'x'", "Did you mean [database] url?"],
    ["[webserver]\nexpose_config = true\nweb_server_port = 8080", "[webserver] web_server_port in"],
    ["[webserver]\nweb_server_port = 8080", "Did you mean [api] port?"],
    ["[core]\nno_such_thing_at_all = 1", "is not an option of Baram. Remove it,"],
  ] as const) {
    toml(text);
    expect(() => load(), text).toThrow(message);
  }
  toml("[scheduler]\nmin_file_process_interval = 30");
  expect(load().meaningless).toHaveLength(1);
  expect(() => load({ BARAM__DATABASE__SQL_ALCHEMY_CONN: "x" })).toThrow("Did you mean BARAM__DATABASE__URL?");
  for (const target of renamedTargets()) {
    const [, section = "", name = ""] = /^\[(.+)\] (.+)$/.exec(target) ?? [];
    expect(Object.keys((OPTIONS as Record<string, object>)[section] ?? {}), target).toContain(name);
  }
});

test("an option that only Airflow has is taken, does nothing, and is told with the reason", () => {
  toml("[scheduler]\nclean_tis_without_dagrun_interval = 15\nmax_tis_per_query = 7");
  const config = load({ BARAM__CORE__FERNET_KEY: "a-secret-of-old" });
  expect(config.scheduler.max_tis_per_query).toBe(7);
  expect(config.meaningless).toEqual([
    {
      where: expect.stringMatching(/^\[scheduler\] clean_tis_without_dagrun_interval in .+baram\.toml$/),
      why: expect.any(String),
    },
    { where: "BARAM__CORE__FERNET_KEY", why: "use [core] encryption_key" },
  ]);
  expect(JSON.stringify(config)).not.toContain("a-secret-of-old");
  expect(() => load({ BARAM__CORE__FERNET_KEYS: "x" })).toThrow("BARAM__CORE__FERNET_KEYS is not an option");
});

test("the environment wins over the file, the file over the default, an empty variable counts as unset", () => {
  toml("[core]\nparallelism = 5\n[api]\nport = 9000");
  const config = load({ BARAM__CORE__PARALLELISM: "7", BARAM__API__PORT: "" });
  expect(config.core.parallelism).toBe(7);
  expect(config.api.port).toBe(9_000);
  expect(config.sources).toMatchObject({
    "core.parallelism": "environment",
    "api.port": "file",
    "api.host": "default",
  });
});

test("every default is a value that its own option would take", () => {
  for (const { spec, variable } of every) {
    if (spec.default !== null) expect(() => load({ [variable]: String(spec.default) }), variable).not.toThrow();
  }
});

test("relative paths: BARAM_HOME from the working folder, dags beside it, logs below it", () => {
  const config = loadConfig({ BARAM_HOME: "inner/.baram" }, "/some/place");
  expect(config.home).toBe("/some/place/inner/.baram");
  expect(config.core.dags_folder).toBe("/some/place/inner/dags");
  expect(config.logging.base_log_folder).toBe("/some/place/inner/.baram/logs");
  expect(load({ BARAM__CORE__DAGS_FOLDER: "/abs" }).core.dags_folder).toBe("/abs");
});

test("a secret option's bad value is not shown", () => {
  toml("[core]\nencryption_key = 12345678");
  expect(() => load()).toThrow(expect.objectContaining({ message: expect.not.stringContaining("12345678") }));
  toml("");
  const short = Buffer.from("hunter2").toString("base64");
  expect(() => readEncryptionKey(load({ BARAM__CORE__ENCRYPTION_KEY: short }))).toThrow("[core] encryption_key must be 32 bytes");
  expect(() => readJwtSecret(load({ BARAM__API_AUTH__JWT_SECRET: "short" }))).toThrow(
    "[api_auth] jwt_secret must have at least 32",
  );
});

test("a database that is no PostgreSQL is named by its scheme, and the rest of its URL is not shown", () => {
  for (const scheme of ["mysql://", "postgresql+psycopg2://", "sqlite:///"])
    expect(() => load({ BARAM__DATABASE__URL: `${scheme}root:hunter22@db/x` })).toThrow(
      `BARAM__DATABASE__URL is "${scheme.slice(0, scheme.indexOf("//") + 2)}…" (hidden), but must be a PostgreSQL URL, for example postgres://`,
    );
  expect(() => load({ BARAM__DATABASE__URL: "db.example.org" })).toThrow(
    "BARAM__DATABASE__URL is (hidden), but must be a PostgreSQL URL",
  );
  for (const url of ["postgres://u@h/x", "postgresql://h/x"]) expect(load({ BARAM__DATABASE__URL: url }).database.url).toBe(url);
});

test("a secret that is not there is not made for one that must not make it, and the message says where it is wanted", () => {
  const away = join(home, "away");
  const config = loadConfig({ BARAM_HOME: away });
  expect(() => readEncryptionKey(config, { make: false })).toThrow(
    `There is no encryption_key in BARAM_HOME ${away}, and a new one would not be that of the API servers. Set BARAM__CORE__ENCRYPTION_KEY`,
  );
  expect(() => readJwtSecret(config, { make: false })).toThrow("There is no jwt_secret");
  expect(readEncryptionKey(config)).toEqual(readEncryptionKey(config, { make: false }));
});

test("keys are made once, mode 0600, also when processes race for them, and no process sees half of one", async () => {
  const script = join(home, "race.mjs");
  const entry = join(findPackageRoot(), "dist", "config", "index.js");
  writeFileSync(
    script,
    `import { loadConfig, readEncryptionKey, readJwtSecret } from ${JSON.stringify(entry)};
     process.on("message", () => {
       const config = loadConfig({ BARAM_HOME: ${JSON.stringify(join(home, "new"))} });
       process.send(readEncryptionKey(config).toString("hex") + Buffer.from(readJwtSecret(config)).toString("hex"));
       process.disconnect();
     });
     process.send("ready");`,
  );
  const children = Array.from({ length: 4 }, () => fork(script));
  const answers = children.map(
    (child) =>
      new Promise<string>((resolve, reject) => {
        let ready = 0;
        child.on("message", (message) => {
          if (ready++ > 0) resolve(String(message));
        });
        child.once("exit", () => reject(new Error("a process failed")));
      }),
  );
  await Promise.all(children.map((child) => new Promise((resolve) => child.once("message", resolve))));
  for (const child of children) child.send("go");
  expect(new Set(await Promise.all(answers)).size).toBe(1);
  for (const name of ["encryption_key", "jwt_secret"]) {
    expect(statSync(join(home, "new", name)).mode & 0o777).toBe(0o600);
    expect(readFileSync(join(home, "new", name), "utf8").length).toBeGreaterThan(40);
  }
});

test("user code gets what any program needs, and what is named for it, and nothing of the platform's", () => {
  const environment = {
    PATH: "/bin",
    LC_ALL: "C",
    TZ: "UTC",
    HTTPS_PROXY: "http://proxy:3128",
    http_proxy: "http://u:hunter22@proxy:3128",
    BARAM__DATABASE__URL: "u",
    BARAM_CONN_X: "c",
    BARAM_HOME: "h",
    NODE_OPTIONS: "-r x",
    AWS_SECRET_ACCESS_KEY: "k",
    GITHUB_TOKEN: "t",
    MY_APP_COLOR: "red",
    MY_APPLE: "green",
    JAVA_HOME: "/java",
    none: undefined,
  };
  const always = { PATH: "/bin", LC_ALL: "C", TZ: "UTC", HTTPS_PROXY: "http://proxy:3128" };
  expect(environmentForUserCode([], environment)).toEqual(always);
  const { MY_APP_COLOR, JAVA_HOME, http_proxy, AWS_SECRET_ACCESS_KEY, GITHUB_TOKEN, MY_APPLE } = environment;
  const named = ["MY_APP_*", "JAVA_HOME", "http_proxy", "BARAM_*", "NODE_OPTIONS", "NODE_*"];
  expect(environmentForUserCode(named, environment)).toEqual({ ...always, MY_APP_COLOR, JAVA_HOME, http_proxy });
  expect(environmentForUserCode(EVERYTHING, environment)).toEqual({
    ...always,
    ...{ MY_APP_COLOR, JAVA_HOME, http_proxy, AWS_SECRET_ACCESS_KEY, GITHUB_TOKEN, MY_APPLE },
  });
});

test("[workers] pass_environment is a list of names and beginnings of names", () => {
  for (const good of ["", "A", " A, B_* ,c1", "A_*"]) expect(load({ BARAM__WORKERS__PASS_ENVIRONMENT: good })).toBeTruthy();
  for (const bad of ["*", "A B", "A=1", "A,,B", "*_KEY", "1A"])
    expect(() => load({ BARAM__WORKERS__PASS_ENVIRONMENT: bad }), bad).toThrow("must be a list of names");
});

test("a variable of Airflow that names a command or a secret's place points to the file", () => {
  expect(() => load({ BARAM__DATABASE__URL_CMD: "pass show db" })).toThrow("its path into BARAM__DATABASE__URL_FILE");
  expect(() => load({ BARAM__API_AUTH__JWT_SECRET_SECRET: "jwt" })).toThrow("its path into BARAM__API_AUTH__JWT_SECRET_FILE");
  expect(() => load({ BARAM__API__PORT_CMD: "echo 1" })).toThrow("Set BARAM__API__PORT itself");
  expect(() => load({ BARAM__API__NOTHING_CMD: "echo 1" })).toThrow("is not an option of Baram. ");
});

test("the user that Airflow's tasks run as points to the option that sets it here", () => {
  const { meaningless } = load({ BARAM__CORE__DEFAULT_IMPERSONATION: "etl" });
  expect(meaningless.map(({ why }) => why)).toEqual([expect.stringContaining("[workers] run_as_user")]);
});

test("a secret may be in a file, whose path is in BARAM__SECTION__NAME_FILE; other options have no such variable", () => {
  const file = join(home, "url");
  writeFileSync(file, "postgres://u:hunter22@h/x\n");
  const config = load({ BARAM__DATABASE__URL_FILE: file });
  expect(config.database.url).toBe("postgres://u:hunter22@h/x");
  expect(config.sources["database.url"]).toBe("environment");
  expect(() => load({ BARAM__DATABASE__URL_FILE: file, BARAM__DATABASE__URL: "postgres://h/x" })).toThrow(
    `BARAM__DATABASE__URL_FILE is ${file}, and BARAM__DATABASE__URL is set too: remove one of them`,
  );
  expect(() => load({ BARAM__DATABASE__URL_FILE: join(home, "none") })).toThrow("cannot be read: ENOENT");
  writeFileSync(file, "\n");
  expect(() => load({ BARAM__DATABASE__URL_FILE: file })).toThrow("which is empty");
  writeFileSync(file, "mysql://u:hunter22@h/x\n");
  expect(() => load({ BARAM__DATABASE__URL_FILE: file })).toThrow(
    expect.objectContaining({ message: expect.not.stringContaining("hunter22") }),
  );
  expect(() => load({ BARAM__API__PORT_FILE: file })).toThrow("is not an option of Baram");
});

test("connections and variables come from the environment by upper-case name", () => {
  const secrets = environmentSecrets({ BARAM_CONN_MY_DB: "postgres://h", BARAM_VAR_KEY: "v", BARAM_VAR_EMPTY: "" });
  expect(secrets.connection("my_db")?.host).toBe("h");
  expect(secrets.connection("other")).toBeNull();
  expect([secrets.variable("key"), secrets.variable("empty"), secrets.variable("none")]).toEqual(["v", "", null]);
});
