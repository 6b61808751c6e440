/**
 * Real brokers for a test: Debian's redis-server and rabbitmq-server, or the oldest Redis that is supported, on free loopback ports,
 * each with its own folder. Their user has the least rights that docs/executors/queue.md names.
 */
import { type ChildProcess, execFile, spawn, spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { connect, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { findPackageRoot } from "../../src/platform/index.ts";

export type BrokerServer = {
  readonly kind: "redis" | "rabbitmq";
  /** With user and password. */
  readonly url: string;
  readonly port: number;
  readonly password: string;
  /** The certificate authority, if it uses TLS. */
  readonly ca: string | null;
  /** Kills it; its data is kept. */
  kill(): Promise<void>;
  /** Starts it again on the same port. */
  restart(): Promise<void>;
  stop(): Promise<void>;
  /** Runs a command as an administrator: of redis-cli, or of rabbitmqctl. Resolves with its output. */
  control(...command: string[]): Promise<string>;
};

type Options = {
  tls?: boolean;
  /** The user's rights: in Redis as in ACL SETUSER, in RabbitMQ the patterns for configure, write and read. */
  rights?: string | readonly [configure: string, write: string, read: string];
  /** Path of another redis-server. */
  redisServer?: string;
  /** Further lines of Redis's configuration. */
  config?: readonly string[];
};

const USER = "baram-user";
const PASSWORD = "p@ss/w:rd";
const BOOT_MS = 40_000;
const ADMIN = "admin";

/** As in docs/executors/queue.md. */
export const LEAST_REDIS_RIGHTS =
  "~baram:* resetchannels &baram:* +@read +@write +@scripting +@connection +select +publish +subscribe +info";
export const LEAST_RABBITMQ_RIGHTS = ["^baram\\.", "^baram\\.|^amq\\.default$", "^baram\\."] as const;

/** The path of the oldest Redis that is supported. */
export function ensureRedis6(): string {
  return runScript("ensure-redis-6.mjs");
}

export function startBroker(kind: BrokerServer["kind"], options: Options = {}): Promise<BrokerServer> {
  ensureInstalled();
  return kind === "redis" ? startRedis(options) : startRabbitmq(options);
}

async function startRedis({
  tls = false,
  rights = LEAST_REDIS_RIGHTS,
  redisServer = "redis-server",
  config: more = [],
}: Options): Promise<BrokerServer> {
  const folder = mkdtempSync(join(tmpdir(), "baram-redis-"));
  const port = await freePort();
  const certificate = tls ? makeCertificate(folder) : null;
  const config = [
    `dir ${folder}`,
    "bind 127.0.0.1",
    "appendonly yes",
    "appendfsync always",
    "save ''",
    ...(certificate
      ? [
          "port 0",
          `tls-port ${port}`,
          `tls-cert-file ${certificate.cert}`,
          `tls-key-file ${certificate.key}`,
          "tls-auth-clients no",
        ]
      : [`port ${port}`]),
    ...(certificate ? [`tls-ca-cert-file ${certificate.cert}`] : []),
    // The default user has all rights, though nobody can log in as it: Redis 7.0 reads its own AOF as this user, and skips
    // commands that it may not run.
    "user default off ~* resetchannels &* +@all",
    `user ${USER} on >${PASSWORD} ${rights}`,
    `user ${ADMIN} on >${PASSWORD} ~* resetchannels &* +@all`,
    `masteruser ${ADMIN}`,
    `masterauth ${PASSWORD}`,
    ...more,
  ];
  writeFileSync(join(folder, "redis.conf"), `${config.join("\n")}\n`);
  return serverOf({
    kind: "redis",
    folder,
    port,
    url: `${tls ? "rediss" : "redis"}://${USER}:${encodeURIComponent(PASSWORD)}@127.0.0.1:${port}/0`,
    ca: certificate && readFileSync(certificate.cert, "utf8"),
    launch: async () => spawn(redisServer, [join(folder, "redis.conf")], { stdio: "ignore", detached: true }),
    control: (command) =>
      run("redis-cli", ["-p", String(port), "--user", ADMIN, "--pass", PASSWORD, "--no-auth-warning", ...command], process.env),
  });
}

async function startRabbitmq({ tls = false, rights = LEAST_RABBITMQ_RIGHTS }: Options): Promise<BrokerServer> {
  const folder = mkdtempSync(join(tmpdir(), "baram-rabbitmq-"));
  const [port, distPort, epmdPort] = [await freePort(), await freePort(), await freePort()];
  const certificate = tls ? makeCertificate(folder) : null;
  const config = [
    `default_user = ${USER}`,
    `default_pass = ${PASSWORD}`,
    ...(certificate
      ? [
          "listeners.tcp = none",
          `listeners.ssl.default = 127.0.0.1:${port}`,
          `ssl_options.certfile = ${certificate.cert}`,
          `ssl_options.keyfile = ${certificate.key}`,
          "ssl_options.verify = verify_none",
          "ssl_options.fail_if_no_peer_cert = false",
        ]
      : [`listeners.tcp.default = 127.0.0.1:${port}`]),
  ];
  writeFileSync(join(folder, "rabbitmq.conf"), `${config.join("\n")}\n`);
  writeFileSync(join(folder, "enabled_plugins"), "[].\n");
  const env = {
    PATH: process.env.PATH,
    HOME: folder,
    ERL_EPMD_ADDRESS: "127.0.0.1",
    ERL_EPMD_PORT: String(epmdPort),
    RABBITMQ_NODENAME: `baram${port}@localhost`,
    RABBITMQ_DIST_PORT: String(distPort),
    RABBITMQ_MNESIA_BASE: join(folder, "data"),
    RABBITMQ_LOG_BASE: join(folder, "log"),
    RABBITMQ_CONFIG_FILE: join(folder, "rabbitmq.conf"),
    RABBITMQ_CONF_ENV_FILE: join(folder, "none"),
    RABBITMQ_ENABLED_PLUGINS_FILE: join(folder, "enabled_plugins"),
    RABBITMQ_PID_FILE: join(folder, "pid"),
    // The tests share two cores.
    RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS: "+S 1:1 +sbwt none +sbwtdcpu none +sbwtdio none",
  };
  // The port mapper daemon of Erlang's nodes would outlive its node, so the test starts and ends its own.
  const epmd = spawn("epmd", ["-port", String(epmdPort), "-address", "127.0.0.1"], { stdio: "ignore", env });
  const server = await serverOf({
    kind: "rabbitmq",
    folder,
    port,
    url: `${tls ? "amqps" : "amqp"}://${USER}:${encodeURIComponent(PASSWORD)}@127.0.0.1:${port}`,
    ca: certificate && readFileSync(certificate.cert, "utf8"),
    // Not Debian's wrapper, which changes the account. In its own process group, since the server has helper processes.
    launch: async () => spawn("/usr/lib/rabbitmq/bin/rabbitmq-server", [], { stdio: "ignore", env, detached: true }),
    control: (command) => run("/usr/lib/rabbitmq/bin/rabbitmqctl", ["--quiet", ...command], env),
    afterwards: () => void epmd.kill("SIGKILL"),
  });
  // RabbitMQ 3.10 mixes up the write and the read permission of its configuration file.
  await server.control("set_permissions", USER, ...rights);
  return server;
}

/** A Redis Sentinel that monitors the primary under the name `main`; its URL is the service's. */
export async function startSentinel(primary: BrokerServer): Promise<BrokerServer> {
  const folder = mkdtempSync(join(tmpdir(), "baram-sentinel-"));
  const port = await freePort();
  const config = [
    `dir ${folder}`,
    "bind 127.0.0.1",
    `port ${port}`,
    `sentinel monitor main 127.0.0.1 ${primary.port} 1`,
    `sentinel auth-user main ${ADMIN}`,
    `sentinel auth-pass main ${PASSWORD}`,
    "sentinel down-after-milliseconds main 1000",
    "sentinel failover-timeout main 5000",
  ];
  writeFileSync(join(folder, "sentinel.conf"), `${config.join("\n")}\n`);
  return serverOf({
    kind: "redis",
    folder,
    port,
    url: `redis+sentinel://${USER}:${encodeURIComponent(PASSWORD)}@127.0.0.1:${port}/main`,
    ca: null,
    launch: async () => spawn("redis-server", [join(folder, "sentinel.conf"), "--sentinel"], { stdio: "ignore", detached: true }),
    control: (command) => run("redis-cli", ["-p", String(port), ...command], process.env),
  });
}

async function serverOf(given: {
  kind: BrokerServer["kind"];
  folder: string;
  port: number;
  url: string;
  ca: string | null;
  launch(): Promise<ChildProcess>;
  control(command: readonly string[]): Promise<string>;
  afterwards?(): void;
}): Promise<BrokerServer> {
  let child: ChildProcess | null = null;
  const start = async () => {
    child = await given.launch();
    await untilListening(given.port, child, `${given.kind} (its folder is ${given.folder})`);
  };
  const kill = async () => {
    const current = child;
    child = null;
    if (!current?.pid || current.exitCode !== null || current.signalCode !== null) return;
    const ended = new Promise<void>((resolve) => current.once("exit", () => resolve()));
    process.kill(-current.pid, "SIGKILL");
    await ended;
  };
  await start();
  return {
    kind: given.kind,
    url: given.url,
    port: given.port,
    password: PASSWORD,
    ca: given.ca,
    kill,
    control: (...command) => given.control(command),
    async restart() {
      await kill();
      await start();
    },
    async stop() {
      await kill();
      given.afterwards?.();
      rmSync(given.folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 });
    },
  };
}

function ensureInstalled(): void {
  runScript("ensure-brokers.mjs");
}

function runScript(name: string): string {
  const ensured = spawnSync(process.execPath, [join(findPackageRoot(), "scripts", name)], { encoding: "utf8" });
  if (ensured.status !== 0) throw new Error(ensured.stderr);
  return ensured.stdout.trim();
}

function run(program: string, args: readonly string[], env: NodeJS.ProcessEnv): Promise<string> {
  return new Promise((resolve, reject) => {
    execFile(program, args, { env, encoding: "utf8" }, (error, stdout, stderr) => {
      if (error) reject(new Error(`${args.join(" ")}: ${stderr || stdout || error.message}`));
      else resolve(stdout.trim());
    });
  });
}

export async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  return typeof address === "object" && address ? address.port : 0;
}

async function untilListening(port: number, child: ChildProcess, what: string): Promise<void> {
  const deadline = Date.now() + BOOT_MS;
  while (!(await canConnect(port))) {
    if (child.exitCode !== null) throw new Error(`${what} ended at once with ${child.exitCode}`);
    if (Date.now() > deadline) throw new Error(`${what} does not listen on port ${port} after ${BOOT_MS} ms`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

function canConnect(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1");
    socket.once("connect", () => resolve(true));
    socket.once("error", () => resolve(false));
    socket.once("close", () => socket.destroy());
    socket.once("connect", () => socket.destroy());
  });
}

function makeCertificate(folder: string): { cert: string; key: string } {
  const cert = join(folder, "cert.pem");
  const key = join(folder, "key.pem");
  const subject = ["-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1", "-days", "2"];
  const made = spawnSync("openssl", ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", key, "-out", cert, ...subject]);
  if (made.status !== 0) throw new Error(`openssl made no certificate: ${made.stderr}`);
  return { cert, key };
}
