"""An SMTP server for tests: aiosmtpd, with what it received as one line of JSON per mail on stdout.

Mails are read by Python's own parser, so that what a test sees is what another program understood.
Arguments: one JSON object {port, user, password, cert, key, hang, refuse, deferData}.
"""
import asyncio, email, email.policy, json, ssl, sys

from aiosmtpd.smtp import SMTP, AuthResult

options = json.loads(sys.argv[1])


class Handler:
    def __init__(self):
        self.deferred = 0

    async def handle_RCPT(self, server, session, envelope, address, rcpt_options):
        if address in options.get("refuse", []):
            return "550 5.1.1 no such mailbox"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope):
        if self.deferred < options.get("deferData", 0):
            self.deferred += 1
            return "451 4.3.0 come back later"
        message = email.message_from_bytes(envelope.original_content, policy=email.policy.default)
        part = message.get_body(("html",))
        print(json.dumps({
            "from": envelope.mail_from,
            "recipients": envelope.rcpt_tos,
            "headers": [[name, str(value)] for name, value in message.items()],
            "type": message.get_content_type(),
            "html": part.get_content() if part else None,
            "attachments": [[each.get_filename(), each.get_content_type(), each.get("Content-ID"), each.get_payload(decode=True).hex()]
                            for each in message.walk() if each.get_filename()],
            "isTls": session.ssl is not None,
            "isAuthenticated": bool(session.authenticated),
        }), flush=True)
        return "250 OK"


def authenticate(server, session, envelope, mechanism, data):
    good = (data.login.decode(), data.password.decode()) == (options["user"], options["password"])
    return AuthResult(success=good, handled=False)


async def hang(reader, writer):
    print(json.dumps({"connected": True}), flush=True)
    await asyncio.sleep(3600)


async def main():
    settings = {"hostname": "test.invalid"}
    if options.get("user"):
        settings |= {"authenticator": authenticate, "auth_required": True, "auth_require_tls": bool(options.get("cert"))}
    if options.get("cert"):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(options["cert"], options["key"])
        settings |= {"tls_context": context, "require_starttls": True}
    loop = asyncio.get_running_loop()
    handler = Handler()
    if options.get("hang"):
        server = await asyncio.start_server(hang, "127.0.0.1", options.get("port", 0))
    else:
        server = await loop.create_server(lambda: SMTP(handler, **settings), "127.0.0.1", options.get("port", 0))
    print(json.dumps({"port": server.sockets[0].getsockname()[1]}), flush=True)
    # Ends with its parent, whatever way that ends.
    await loop.run_in_executor(None, sys.stdin.read)


asyncio.run(main())
