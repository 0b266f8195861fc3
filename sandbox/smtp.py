"""An SMTP server that keeps every mail, and refuses mails on request."""

import asyncio
import socket
from dataclasses import dataclass
from datetime import UTC, datetime
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default as default_policy
from typing import Final

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, Session

from sandbox.http import Json
from sandbox.serving import open_socket, port_of

TEXTS: Final = {
    "421": "421 4.3.2 Service not available",
    "450": "450 4.2.1 Mailbox temporarily unavailable",
    "550": "550 5.1.1 Mailbox unavailable",
}
CONNECTION: Final = "connection"
DROP: Final = "drop_after_data"  # the mail is kept, and the connection breaks before the answer


@dataclass(frozen=True, slots=True)
class Mail:
    received: str
    sender: str
    recipients: list[str]
    headers: dict[str, str]
    text: str
    html: str
    raw: str

    def as_json(self) -> Json:
        return {
            "received": self.received,
            "from": self.sender,
            "to": self.recipients,
            "subject": self.headers.get("Subject", ""),
            "headers": self.headers,
            "text": self.text,
            "html": self.html,
            "raw": self.raw,
        }


class Mailbox:
    """The handler aiosmtpd calls, and the mails it kept."""

    def __init__(self) -> None:
        self.mails: list[Mail] = []
        self.refusal: str | None = None
        self.remaining: int | None = None  # refusals left; None: no end
        self.recipient: str | None = None  # the only address that is refused; None: all are
        self.refused = 0

    async def handle_RCPT(
        self, _server: SMTP, _session: Session, envelope: Envelope, address: str, _options: list[str]
    ) -> str:
        if self.recipient == address and (refusal := self._refusal()):
            return refusal
        envelope.rcpt_tos.append(address)
        return "250 2.1.5 OK"

    async def handle_DATA(self, server: SMTP, _session: Session, envelope: Envelope) -> str:
        refusal = None if self.recipient else self._refusal()
        if refusal is not None:
            return refusal
        content = envelope.content or b""
        self.mails.append(_read(envelope, content if isinstance(content, bytes) else content.encode()))
        if self.refusal == DROP and isinstance(server.transport, asyncio.WriteTransport):
            self._counted()
            server.transport.abort()
        return "250 2.0.0 OK"

    def _refusal(self) -> str | None:
        if self.refusal not in TEXTS:
            return None
        text = TEXTS[self.refusal]
        self._counted()
        return text

    def _counted(self) -> None:
        self.refused += 1
        if self.remaining is not None:
            self.remaining -= 1
            if self.remaining <= 0:
                self.refusal, self.remaining, self.recipient = None, None, None


def _read(envelope: Envelope, content: bytes) -> Mail:
    message = message_from_bytes(content, policy=default_policy)
    return Mail(
        datetime.now(UTC).isoformat(timespec="milliseconds"),
        envelope.mail_from or "",
        list(envelope.rcpt_tos),
        {name: str(value) for name, value in message.items()},
        _body(message, "plain"),
        _body(message, "html"),
        content.decode("utf-8", "replace"),
    )


def _body(message: EmailMessage, kind: str) -> str:
    part = message.get_body((kind,))
    return str(part.get_content()) if part is not None else ""


def _accept_anyone(*_: object) -> AuthResult:
    return AuthResult(success=True)


class SmtpServer:
    """The server. To refuse connections it stops listening; the port stays the same."""

    def __init__(self, host: str, listener: socket.socket, mailbox: Mailbox) -> None:
        self.port = port_of(listener)
        self._host = host
        self._listener = listener
        self._mailbox = mailbox
        self._server: asyncio.Server | None = None
        self._opening: asyncio.Task[None] | None = None

    async def start(self) -> None:
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(self._protocol, sock=self._listener)

    def _protocol(self) -> SMTP:
        return SMTP(
            self._mailbox,
            hostname="sandbox",
            enable_SMTPUTF8=True,
            authenticator=_accept_anyone,
            auth_require_tls=False,
        )

    def refuse(self, how: str | None, count: int | None, recipient: str | None = None) -> None:
        """`421`, `450`, `550`, `connection`, `drop_after_data`, or None to accept again. Raises ValueError.

        With `recipient`, only that address is refused.
        """
        if how is not None and how not in TEXTS and how not in (CONNECTION, DROP):
            raise ValueError(f"refuse is one of {', '.join(TEXTS)}, {CONNECTION}, {DROP} or null")
        self._mailbox.refusal, self._mailbox.remaining, self._mailbox.recipient = how, count, recipient
        if how == CONNECTION:
            self._close()
        else:
            self._reopen()

    def _close(self) -> None:
        if self._server is not None:
            self._server.close()
            self._server = None

    def _reopen(self) -> None:
        if self._server is None:
            self._listener = open_socket(self._host, self.port)
            self._opening = asyncio.get_running_loop().create_task(self.start())

    def stop(self) -> None:
        self._close()
