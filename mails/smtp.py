"""Sends mails to the server of `SMTP_URL`: `smtp://user:password@host:587?starttls=1` or `smtps://…`.

MailNotSent
├── ServerUnavailable        nobody is served now: no connection, no login, the sender refused
├── TemporarilyRefused       this mail, or its addresses: 4xx
└── PermanentlyRefused       this mail, or its addresses: 5xx
    └── MailTooLarge
"""

import contextlib
import smtplib
import ssl
from collections.abc import Sequence
from email.message import EmailMessage
from types import TracebackType
from typing import Any, Self
from urllib.parse import parse_qs, unquote, urlsplit

from pydantic import SecretStr

TIMEOUT = 10.0  # seconds for each answer, except for the one to the mail itself
DATA_TIMEOUT = 120.0  # seconds: a server may scan a mail before it answers (RFC 5321, section 4.5.3.2)
TOO_LARGE = ("5.2.3", "5.3.4")  # RFC 3463: too large for the mailbox, or for the server

Refusals = dict[str, str]  # addresses that did not get a mail that others got, and the server's answer for each


class MailNotSent(Exception):
    """The server did not take the mail. `str` may be logged: it names no address.

    `maybe_sent`: the connection broke after the mail was handed over, so the server may have it.
    """

    maybe_sent = False


class ServerUnavailable(MailNotSent):
    """The server serves nobody now."""

    def __init__(self, why: str, maybe_sent: bool = False) -> None:
        super().__init__(why, maybe_sent)
        self.why = why
        self.maybe_sent = maybe_sent

    def __str__(self) -> str:
        return self.why


class TemporarilyRefused(MailNotSent):
    """The server may take this mail later (4xx)."""


class PermanentlyRefused(MailNotSent):
    """The server will not take this mail (5xx). `answer` is its answer."""

    def __init__(self, answer: str) -> None:
        super().__init__(answer)
        self.answer = answer

    def __str__(self) -> str:
        return self.answer.partition(" ")[0]


class MailTooLarge(PermanentlyRefused):
    """The server takes no mail of this size."""


def is_permanent(answer: str) -> bool:
    """Whether an address is refused for good (5xx) or may get the mail later (4xx)."""
    return answer.startswith("5")


class SmtpSender:
    """Opens one connection with the first mail, and another when it broke. A context manager that closes it."""

    def __init__(self, smtp_url: SecretStr) -> None:
        self._url = urlsplit(smtp_url.get_secret_value())
        self._server: smtplib.SMTP | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._server is not None:
            with contextlib.suppress(OSError, smtplib.SMTPException):
                self._server.quit()
            self._close()

    def send(self, mail: EmailMessage, to: Sequence[str] | None = None) -> Refusals:
        """Return when the server has the mail for at least one address, with the addresses that it refused.

        `to` replaces the mail's own addresses. Raises `MailNotSent`.
        """
        server = self._connection()
        try:
            left = server.send_message(mail, to_addrs=to)
        except smtplib.SMTPRecipientsRefused as error:
            raise _error_for_recipients(error.recipients) from None
        except smtplib.SMTPSenderRefused as error:
            if isinstance(answer := _error_for_answer(error.smtp_code, error.smtp_error), MailTooLarge):
                raise answer from None
            raise ServerUnavailable(f"the sender was refused: {error.smtp_code}") from None
        except smtplib.SMTPNotSupportedError:
            raise PermanentlyRefused("550 the server takes no address with letters beyond ASCII") from None
        except smtplib.SMTPResponseException as error:
            raise _error_for_answer(error.smtp_code, error.smtp_error) from None
        except (OSError, smtplib.SMTPException) as error:
            self._close()
            raise ServerUnavailable(type(error).__name__, maybe_sent=True) from None
        return {address: _answer_text(code, text) for address, (code, text) in left.items()}

    def _connection(self) -> smtplib.SMTP:
        if self._server is None or not _is_alive(self._server):
            self._close()
            try:
                self._server = self._open()
                self._log_in(self._server)
            except (OSError, smtplib.SMTPException) as error:
                self._close()
                code = getattr(error, "smtp_code", "")
                raise ServerUnavailable(f"{type(error).__name__} {code}".strip()) from None
        return self._server

    def _open(self) -> smtplib.SMTP:
        host = self._url.hostname or "127.0.0.1"
        if self._url.scheme == "smtps":
            context = ssl.create_default_context()
            return _PatientServerOverTls(host, self._url.port or 465, timeout=TIMEOUT, context=context)
        return _PatientServer(host, self._url.port or 25, timeout=TIMEOUT)

    def _log_in(self, server: smtplib.SMTP) -> None:
        if self._url.scheme == "smtp" and parse_qs(self._url.query).get("starttls") == ["1"]:
            server.starttls(context=ssl.create_default_context())
        if self._url.username:
            server.login(unquote(self._url.username), unquote(self._url.password or ""))

    def _close(self) -> None:
        if self._server is not None:
            self._server.close()
            self._server = None


class _PatientServer(smtplib.SMTP):
    """Waits longer for the answer to the mail itself."""

    def data(self, msg: Any) -> tuple[int, bytes]:
        assert self.sock is not None
        self.sock.settimeout(DATA_TIMEOUT)
        answer = super().data(msg)
        self.sock.settimeout(TIMEOUT)
        return answer


class _PatientServerOverTls(_PatientServer, smtplib.SMTP_SSL):
    pass


def _is_alive(server: smtplib.SMTP) -> bool:
    try:
        return bool(server.noop()[0] == 250)
    except (OSError, smtplib.SMTPException):
        return False


def _error_for_recipients(answers: dict[str, tuple[int, bytes]]) -> MailNotSent:
    codes = {code for code, _ in answers.values()}
    if 421 in codes:
        return ServerUnavailable("421")
    if all(code >= 500 for code in codes):
        return PermanentlyRefused("; ".join(_answer_text(*answer) for answer in answers.values()))
    return TemporarilyRefused(" ".join(map(str, sorted(codes))))


def _error_for_answer(code: int, text: bytes | str) -> MailNotSent:
    if code == 421:
        return ServerUnavailable("421")
    if code < 500:
        return TemporarilyRefused(str(code))
    said = _answer_text(code, text)
    too_large = code == 552 or said.startswith(TOO_LARGE, len("5xx "))
    return MailTooLarge(said) if too_large else PermanentlyRefused(said)


def _answer_text(code: int, text: bytes | str) -> str:
    """The answer on one line, cut to 200 characters."""
    plain = text.decode("utf-8", "replace") if isinstance(text, bytes) else text
    return " ".join(f"{code} {plain}".split())[:200]
