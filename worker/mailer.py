"""Sends e-mail through `SMTP_URL`: `smtp://user:password@host:587?starttls=1` or `smtps://…`."""

import smtplib
import ssl
from email.message import EmailMessage
from email.utils import formatdate, make_msgid
from urllib.parse import parse_qs, unquote, urlsplit

from pydantic import SecretStr

TIMEOUT = 20.0  # seconds; a mail that cannot be handed over is tried again


class Mailer:
    """One sender, one SMTP server. A connection is made for each call of `send`."""

    def __init__(self, smtp_url: SecretStr, sender: str) -> None:
        self._url = urlsplit(smtp_url.get_secret_value())
        self._sender = sender

    def send(self, to: str, subject: str, text: str) -> None:
        """Hands one mail over. Raises `OSError` or `smtplib.SMTPException` when the server does not take it."""
        message = EmailMessage()
        message["From"] = self._sender
        message["To"] = to
        message["Subject"] = " ".join(subject.split())  # a name holds no line break into the headers
        message["Date"] = formatdate(usegmt=True)
        message["Message-ID"] = make_msgid(domain=self._sender.rpartition("@")[2])
        message["Auto-Submitted"] = "auto-generated"  # RFC 3834: no out-of-office answers, please
        message.set_content(text)
        with self._connect() as server:
            server.send_message(message)

    def _connect(self) -> smtplib.SMTP:
        host = self._url.hostname or "127.0.0.1"
        server: smtplib.SMTP
        if self._url.scheme == "smtps":
            context = ssl.create_default_context()
            server = smtplib.SMTP_SSL(host, self._url.port or 465, timeout=TIMEOUT, context=context)
        else:
            server = smtplib.SMTP(host, self._url.port or 25, timeout=TIMEOUT)
            if parse_qs(self._url.query).get("starttls") == ["1"]:
                server.starttls(context=ssl.create_default_context())
        if self._url.username:
            server.login(unquote(self._url.username), unquote(self._url.password or ""))
        return server
