/** Real brokers for a test: Debian's redis-server and rabbitmq-server, on free loopback ports, each with its own folder. */
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
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
};

type Options = { tls?: boolean };

const USER = "baram-user";
const PASSWORD = "p@ss/w:rd";
const BOOT_MS = 40_000;

export function startBroker(kind: BrokerServer["kind"], options: Options = {}): Promise<BrokerServer> {
  ensureInstalled();
  return kind === "redis" ? startRedis(options) : startRabbitmq(options);
}

/** An ACL user may only use keys and channels with the prefix `baram`; nobody can log in as the default user. */
async function startRedis({ tls = false }: Options): Promise<BrokerServer> {
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
    "user default off ~* &* +@all",
    `user ${USER} on >${PASSWORD} ~baram:* &baram:* +@all`,
  ];
  writeFileSync(join(folder, "redis.conf"), `${config.join("\n")}\n`);
  return serverOf({
    kind: "redis",
    folder,
    port,
    url: `${tls ? "rediss" : "redis"}://${USER}:${encodeURIComponent(PASSWORD)}@127.0.0.1:${port}/0`,
    ca: certificate && readFileSync(certificate.cert, "utf8"),
    launch: async () => spawn("redis-server", [join(folder, "redis.conf")], { stdio: "ignore", detached: true }),
  });
}

async function startRabbitmq({ tls = false }: Options): Promise<BrokerServer> {
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
  return serverOf({
    kind: "rabbitmq",
    folder,
    port,
    url: `${tls ? "amqps" : "amqp"}://${USER}:${encodeURIComponent(PASSWORD)}@127.0.0.1:${port}`,
    ca: certificate && readFileSync(certificate.cert, "utf8"),
    // Not Debian's wrapper, which changes the account. In its own process group, since the server has helper processes.
    launch: async () => spawn("/usr/lib/rabbitmq/bin/rabbitmq-server", [], { stdio: "ignore", env, detached: true }),
    afterwards: () => void epmd.kill("SIGKILL"),
  });
}

async function serverOf(given: {
  kind: BrokerServer["kind"];
  folder: string;
  port: number;
  url: string;
  ca: string | null;
  launch(): Promise<ChildProcess>;
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
  const script = join(findPackageRoot(), "scripts", "ensure-brokers.mjs");
  const ensured = spawnSync(process.execPath, [script], { encoding: "utf8" });
  if (ensured.status !== 0) throw new Error(ensured.stderr);
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
