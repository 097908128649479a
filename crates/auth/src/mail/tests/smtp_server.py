"""A real mail server for one test: aiosmtpd with STARTTLS, TLS, AUTH and refusals on demand.

Takes its settings as one JSON argument, tells what happens as JSON lines, ends when its input does.
"""
import asyncio
import email
import email.policy
import json
import ssl
import sys

from aiosmtpd.smtp import AuthResult, SMTP

settings = json.loads(sys.argv[1])
refusals = settings.get("refusals", [])


def tell(**event):
    print(json.dumps(event), flush=True)


class Handler:
    async def handle_RCPT(self, server, session, envelope, address, options):
        reply = refusals.pop(0) if refusals else "250 OK"
        if reply.startswith("2"):
            envelope.rcpt_tos.append(address)
        tell(event="recipient", address=address, reply=reply)
        return reply

    async def handle_DATA(self, server, session, envelope):
        mail = email.message_from_bytes(envelope.content, policy=email.policy.default)
        tell(
            event="mail",
            envelope_from=envelope.mail_from,
            envelope_to=envelope.rcpt_tos,
            headers=[[name, str(value)] for name, value in mail.items()],
            text=mail.get_body(("plain",)).get_content(),
            html=mail.get_body(("html",)).get_content(),
            encrypted=session.ssl is not None or settings.get("tls") == "tls",
            user=session.auth_data.login.decode() if session.authenticated else None,
        )
        return "250 accepted"


def authenticate(server, session, envelope, mechanism, data):
    good = settings["user"] == [data.login.decode(), data.password.decode()]
    tell(event="authentication", good=good)
    # Not handled: the library answers 235 or 535.
    return AuthResult(success=good, handled=False, auth_data=data)


async def serve():
    context = None
    if settings.get("tls"):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(settings["certificate"], settings["key"])
    starttls = settings.get("tls") == "starttls"
    user = settings.get("user")

    def connection():
        return SMTP(
            Handler(),
            tls_context=context if starttls else None,
            require_starttls=starttls,
            authenticator=authenticate if user else None,
            auth_required=bool(user),
            auth_require_tls=starttls,
        )

    server = await asyncio.get_running_loop().create_server(
        connection,
        "127.0.0.1",
        settings.get("port", 0),
        ssl=context if settings.get("tls") == "tls" else None,
    )
    tell(event="listening", port=server.sockets[0].getsockname()[1])
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)


asyncio.run(serve())
