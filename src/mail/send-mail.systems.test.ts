import { writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, describe, expect, it } from "vitest";
import { headerOf, type SmtpServer, type SmtpServerOptions, startSmtpServer } from "../../tests/support/smtp-server.ts";
import type { Connection } from "../contracts/index.ts";
import { sendByConnection } from "./compose-mail.ts";
import { MailRefusedError, sendMail } from "./send-mail.ts";
import { type SmtpSettings, settingsOfConnection } from "./smtp-settings.ts";

let server: SmtpServer | undefined;
afterEach(() => server?.stop());

const PLAIN: SmtpSettings = {
  host: "127.0.0.1",
  port: 0,
  user: null,
  password: null,
  ssl: false,
  starttls: false,
  verifyCertificate: true,
  from: "Baram <baram@example.com>",
  timeoutSec: 5,
};
const LOGIN = { user: "ada", password: "s3cret-word" };

async function start(options: SmtpServerOptions = {}, settings: Partial<SmtpSettings> = {}): Promise<SmtpSettings> {
  server = await startSmtpServer(options);
  return { ...PLAIN, port: server.port, ...settings };
}

function connection(given: Partial<Connection>): Connection {
  return {
    connId: "smtp_default",
    connType: "smtp",
    description: null,
    host: "127.0.0.1",
    schema: null,
    login: null,
    password: null,
    port: null,
    extra: {},
    ...given,
  };
}

describe("sendMail", () => {
  it("hands over a mail that another program reads as it was meant", async () => {
    const settings = await start();
    const mail = { to: ["a@example.com", "b@example.com"], cc: ["c@example.com"], bcc: ["d@example.com"], messageId: "1@baram" };
    await sendMail(settings, { ...mail, subject: "Größe ✓", html: "<b>한국어</b>", headers: { "X-Kind": "test" } });
    const [got] = (await server?.received(1)) ?? [];
    expect(got).toMatchObject({ from: "baram@example.com", isTls: false });
    expect(got?.recipients.sort()).toEqual(["a@example.com", "b@example.com", "c@example.com", "d@example.com"]);
    expect(headerOf(got, "Subject")).toBe("Größe ✓");
    expect(headerOf(got, "To")).toBe("a@example.com, b@example.com");
    expect(headerOf(got, "Bcc")).toBeUndefined();
    expect(headerOf(got, "Message-ID")).toBe("<1@baram>");
    expect(got?.html?.trim()).toBe("<b>한국어</b>");
  });

  it("lets no line break in a subject make a header", async () => {
    const settings = await start();
    await sendMail(settings, { to: ["a@example.com"], subject: "x\r\nBcc: evil@example.com\u2028\n\nbody", html: "y" });
    const [got] = (await server?.received(1)) ?? [];
    expect(got?.recipients).toEqual(["a@example.com"]);
    expect(headerOf(got, "Bcc")).toBeUndefined();
    expect(headerOf(got, "Subject")).toBe("x Bcc: evil@example.com body");
  });

  it("logs in after STARTTLS", async () => {
    const settings = await start({ login: LOGIN, tls: true }, { ...LOGIN, starttls: true, verifyCertificate: false });
    await sendMail(settings, { to: ["a@example.com"], subject: "s", html: "h" });
    expect((await server?.received(1))?.[0]).toMatchObject({ isTls: true, isAuthenticated: true });
  });

  it("refuses a certificate that nobody signed, unless told otherwise", async () => {
    const settings = await start({ login: LOGIN, tls: true }, { ...LOGIN, starttls: true });
    const sending = sendMail(settings, { to: ["a@example.com"], subject: "s", html: "h" });
    await expect(sending).rejects.toThrow(/certificate/);
    expect(server?.mails).toEqual([]);
  });

  it("refuses a server without STARTTLS where it is asked for: nothing goes in the clear", async () => {
    const settings = await start({}, { starttls: true });
    await expect(sendMail(settings, { to: ["a@example.com"], subject: "s", html: "h" })).rejects.toMatchObject({
      code: "mail_not_sent",
    });
    expect(server?.mails).toEqual([]);
  });

  it("names a wrong login, and never the password", async () => {
    const wrong = { user: "ada", password: "wr0ng-word" };
    const settings = await start({ login: LOGIN, tls: true }, { ...wrong, starttls: true, verifyCertificate: false });
    const error = await sendMail(settings, { to: ["a@example.com"], subject: "s", html: "h" }).catch((thrown) => thrown);
    expect(error).toMatchObject({ code: "mail_not_sent" });
    expect(error.message).toMatch(/535.*smtp_password/s);
    expect(JSON.stringify([error.message, error.facts, error.stack, error.cause])).not.toMatch(/wr0ng|d3Iwbmctd29y/);
  });

  it("tells a mail refused for good from one that may go out later", async () => {
    const settings = await start({ refuse: ["gone@example.com"], deferData: 1 });
    const mail = { subject: "s", html: "h" };
    await expect(sendMail(settings, { ...mail, to: ["gone@example.com"] })).rejects.toBeInstanceOf(MailRefusedError);
    const later = await sendMail(settings, { ...mail, to: ["a@example.com"] }).catch((thrown) => thrown);
    expect(later).toMatchObject({ code: "mail_not_sent", facts: { responseCode: 451 } });
    expect(await sendMail(settings, { ...mail, to: ["a@example.com", "gone@example.com"] })).toEqual({
      rejected: ["gone@example.com"],
    });
  });

  it("gives up a server that never speaks after the time-out", async () => {
    const settings = await start({ hang: true }, { timeoutSec: 0.3 });
    const startedAt = Date.now();
    await expect(sendMail(settings, { to: ["a@example.com"], subject: "s", html: "h" })).rejects.toMatchObject({
      code: "mail_not_sent",
    });
    expect(Date.now() - startedAt).toBeLessThan(3_000);
    expect(server?.connected()).toBe(1);
  });

  it("names a server that is not there", async () => {
    const closed = createServer();
    const port = await new Promise<number>((resolve) =>
      closed.listen(0, "127.0.0.1", () => resolve((closed.address() as { port: number }).port)),
    );
    await new Promise((resolve) => closed.close(resolve));
    const sending = sendMail({ ...PLAIN, port }, { to: ["a@example.com"], subject: "s", html: "h" });
    await expect(sending).rejects.toThrow(new RegExp(`127.0.0.1:${port}.*ECONNREFUSED`));
  });
});

describe("sendByConnection", () => {
  it("attaches files, and shows them in the HTML when asked to", async () => {
    const { port } = await start();
    const path = join(tmpdir(), `baram mail ${process.pid}.txt`);
    writeFileSync(path, "rows");
    const through = connection({ port, extra: { disable_tls: "true", from_email: "jobs@example.com" } });
    const mail = { to: "a@example.com; b@example.com,a@example.com", subject: "s", htmlContent: "<p>x</p>", files: [path] };
    await sendByConnection(through, mail);
    await sendByConnection(through, { ...mail, mimeSubtype: "related" });
    const [mixed, related] = (await server?.received(2)) ?? [];
    expect(mixed).toMatchObject({
      from: "jobs@example.com",
      recipients: ["a@example.com", "b@example.com"],
      type: "multipart/mixed",
    });
    expect(mixed?.attachments[0]).toEqual([
      `baram mail ${process.pid}.txt`,
      "text/plain",
      null,
      Buffer.from("rows").toString("hex"),
    ]);
    expect(related).toMatchObject({ type: "multipart/related" });
    expect(related?.attachments[0]?.[2]).toContain("baram mail");
  });

  it.each([
    [{ to: "" }, "contains no address"],
    [{ to: "a@example.com, b" }, '"b"'],
    [{ to: ["a@example.com\r\nBcc: evil@example.com"] }, "each must be an address"],
    [{ files: ["/nowhere/x.csv"] }, "/nowhere/x.csv"],
    [{ fromEmail: "nobody" }, "fromEmail"],
  ])("refuses %j before it asks the server", async (given, why) => {
    const mail = { to: "a@example.com", subject: "s", htmlContent: "h", ...given };
    await expect(sendByConnection(connection({ port: 1 }), mail)).rejects.toThrow(why);
  });
});

describe("settingsOfConnection", () => {
  it("reads TLS from the port, unless the extra says", () => {
    const read = (given: Partial<Connection>) => {
      const { port, ssl, starttls, verifyCertificate } = settingsOfConnection(connection(given), PLAIN);
      return { port, ssl, starttls, verifyCertificate };
    };
    expect(read({ port: 465 })).toEqual({ port: 465, ssl: true, starttls: false, verifyCertificate: true });
    expect(read({ port: 587 })).toEqual({ port: 587, ssl: false, starttls: true, verifyCertificate: true });
    expect(read({ port: 587, extra: { disable_ssl: false } })).toMatchObject({ ssl: true, starttls: false });
    expect(read({ extra: { disable_ssl: false } })).toMatchObject({ port: 465, ssl: true });
    expect(read({ port: 25, extra: { disable_tls: true, ssl_context: "none" } })).toMatchObject({
      starttls: false,
      verifyCertificate: false,
    });
  });

  it.each([
    [{ connType: "http" }, '"http"'],
    [{ host: null }, "no host"],
    [{ login: "ada" }, "login without a password"],
    [{ extra: { timeout: "soon" } }, "timeout"],
    [{ extra: { from_email: "a@b\r\nBcc: c@d" } }, "from_email"],
  ])("refuses %j", (given, why) => {
    expect(() => settingsOfConnection(connection(given as Partial<Connection>), PLAIN)).toThrow(why);
  });
});
