/** A real SMTP server in a separate process; see smtp-server.py. */
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { findPackageRoot } from "../../src/platform/index.ts";

export type ReceivedMail = {
  /** Envelope sender; the recipients are the envelope's too. */
  from: string;
  recipients: string[];
  headers: [name: string, value: string][];
  type: string;
  html: string | null;
  /** Name, type, Content-ID and content in hex. */
  attachments: [string, string, string | null, string][];
  isTls: boolean;
  isAuthenticated: boolean;
};

export type SmtpServerOptions = {
  /** Default: any free one. */
  port?: number;
  login?: { user: string; password: string };
  /** STARTTLS is offered and required, with a self-signed certificate. */
  tls?: boolean;
  /** Accepts connections and never sends anything. */
  hang?: boolean;
  /** Recipients that it answers with 550. */
  refuse?: string[];
  /** Number of emails that are refused temporarily with 451 before one is accepted. */
  deferData?: number;
};

export type SmtpServer = {
  readonly port: number;
  readonly mails: ReceivedMail[];
  /**
   * Resolves when this number of emails has arrived: the server answers its client first, and reports to the test a moment later.
   */
  received(count: number): Promise<ReceivedMail[]>;
  /** Number of connections, for a server that hangs. */
  connected(): number;
  stop(): Promise<void>;
};

export async function startSmtpServer({ login, tls = false, ...options }: SmtpServerOptions = {}): Promise<SmtpServer> {
  const root = findPackageRoot();
  const ensured = spawnSync(process.execPath, [join(root, "scripts", "ensure-smtp-server.mjs")], { encoding: "utf8" });
  if (ensured.status !== 0) throw new Error(ensured.stderr);
  const given = JSON.stringify({ ...options, ...login, ...(tls ? makeCertificate() : {}) });
  const child = spawn("/usr/bin/python3", [join(root, "tests", "support", "smtp-server.py"), given]);
  const mails: ReceivedMail[] = [];
  let connected = 0;
  let stderr = "";
  child.stderr.on("data", (chunk: Buffer) => {
    stderr += chunk;
  });
  const port = await new Promise<number>((resolve, reject) => {
    child.once("error", reject);
    child.once("exit", () => reject(new Error(`the SMTP server ended at once: ${stderr}`)));
    createInterface({ input: child.stdout }).on("line", (line) => {
      const told = JSON.parse(line) as { port: number } | { connected: true } | ReceivedMail;
      if ("port" in told) resolve(told.port);
      else if ("connected" in told) connected++;
      else mails.push(told);
    });
  });
  const received = async (count: number) => {
    for (let waited = 0; mails.length < count; waited += 10) {
      if (waited > 15_000) throw new Error(`${mails.length} of ${count} mails came in: ${JSON.stringify(mails)}`);
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    return mails;
  };
  return { port, mails, received, connected: () => connected, stop: () => end(child) };
}

export function headerOf(mail: ReceivedMail | undefined, name: string): string | undefined {
  return mail?.headers.find(([each]) => each.toLowerCase() === name.toLowerCase())?.[1];
}

function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return Promise.resolve();
  return new Promise((resolve) => {
    child.once("exit", () => resolve());
    child.kill("SIGKILL");
  });
}

function makeCertificate(): { cert: string; key: string } {
  const folder = mkdtempSync(join(tmpdir(), "baram-smtp-"));
  const cert = join(folder, "cert.pem");
  const key = join(folder, "key.pem");
  const subject = ["-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1", "-days", "2"];
  const made = spawnSync("openssl", ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", key, "-out", cert, ...subject]);
  if (made.status !== 0) throw new Error(`openssl made no certificate: ${made.stderr}`);
  return { cert, key };
}
