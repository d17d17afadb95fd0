"""A mail server that prints what it gets: aiosmtpd, as it is installed. Arguments: security, certificate, key.

The first line is the port. Then one JSON object for each mail that it has taken."""

import asyncio
import json
import ssl
import sys

from aiosmtpd.smtp import SMTP, AuthResult


class Handler:
    async def handle_DATA(self, server, session, envelope):
        mail = {
            "from": envelope.mail_from,
            "to": envelope.rcpt_tos,
            "data": envelope.content.decode(),
            "tls": session.ssl is not None or server.transport.get_extra_info("ssl_object") is not None,
            "user": session.auth_data,
        }
        print(json.dumps(mail), flush=True)
        return "250 OK"


def authenticate(server, session, envelope, mechanism, data):
    user = (data.login.decode(), data.password.decode())
    return AuthResult(success=user == ("portal", "hunter2"), auth_data=user[0])


async def main():
    security, certificate, key = sys.argv[1:]
    context = None
    if security != "none":
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
    options = {"hostname": "localhost", "enable_SMTPUTF8": True}
    if security == "starttls":
        options |= {"tls_context": context, "require_starttls": True, "authenticator": authenticate, "auth_required": True}
    loop = asyncio.get_running_loop()
    server = await loop.create_server(
        lambda: SMTP(Handler(), **options), "127.0.0.1", 0, ssl=context if security == "tls" else None
    )
    print(server.sockets[0].getsockname()[1], flush=True)
    # Ends with the test: its standard input is a pipe that the test holds.
    await loop.run_in_executor(None, sys.stdin.read)


asyncio.run(main())
