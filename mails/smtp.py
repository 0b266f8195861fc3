"""Hands mails to the server of `SMTP_URL`: `smtp://user:password@host:587?starttls=1` or `smtps://…`."""

import contextlib
import smtplib
import ssl
from collections.abc import Sequence
from email.message import EmailMessage
from types import TracebackType
from typing import Any, Self
from urllib.parse import parse_qs, unquote, urlsplit

from pydantic import SecretStr

TIMEOUT = 10.0  # seconds for each answer but the one to the mail itself
TIMEOUT_OF_DATA = 120.0  # seconds: a server may look through a mail before it answers (RFC 5321, section 4.5.3.2)
SIZES = ("5.2.3", "5.3.4")  # RFC 3463: longer than the mailbox, or than the server, takes

Left = dict[str, str]  # addresses that did not get a mail that others got, and what the server said of each


class NotSent(Exception):
    """The server did not take the mail. `str` may be logged: it names no address."""


class ServerTrouble(NotSent):
    """The server serves nobody now: no connection, no login, the sender refused. `in_doubt`: it may have the mail."""

    def __init__(self, why: str, in_doubt: bool = False) -> None:
        super().__init__(why, in_doubt)
        self.why = why
        self.in_doubt = in_doubt

    def __str__(self) -> str:
        return self.why


class TryLater(NotSent):
    """Not this mail, not now (4xx)."""


class Refused(NotSent):
    """These addresses, or this mail to them, for good (5xx). `answer` is the server's."""

    def __init__(self, answer: str) -> None:
        super().__init__(answer)
        self.answer = answer

    def __str__(self) -> str:
        return self.answer.partition(" ")[0]


class TooLarge(Refused):
    """The server takes no mail of this size."""


def is_for_good(answer: str) -> bool:
    """Whether an address is refused (5xx), or may get the mail later (4xx)."""
    return answer.startswith("5")


class SmtpSender:
    """One connection for as many mails as there are; opened with the first, and anew when it broke."""

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

    def send(self, mail: EmailMessage, to: Sequence[str] | None = None) -> Left:
        """Once it returns, the server has the mail, for some of the addresses at least. `to`: those, of the mail's.

        Raises `ServerTrouble`, `TryLater` and `Refused`.
        """
        server = self._connected()
        try:
            left = server.send_message(mail, to_addrs=to)
        except smtplib.SMTPRecipientsRefused as error:
            raise _of_recipients(error.recipients) from None
        except smtplib.SMTPSenderRefused as error:
            if isinstance(answer := _of_answer(error.smtp_code, error.smtp_error), TooLarge):
                raise answer from None
            raise ServerTrouble(f"the sender was refused: {error.smtp_code}") from None
        except smtplib.SMTPNotSupportedError:
            raise Refused("550 the server takes no address with letters beyond ASCII") from None
        except smtplib.SMTPResponseException as error:
            raise _of_answer(error.smtp_code, error.smtp_error) from None
        except (OSError, smtplib.SMTPException) as error:
            self._close()
            raise ServerTrouble(type(error).__name__, in_doubt=True) from None
        return {address: _said(code, text) for address, (code, text) in left.items()}

    def _connected(self) -> smtplib.SMTP:
        if self._server is None or not _lives(self._server):
            self._close()
            try:
                self._server = self._opened()
                self._secure_and_log_in(self._server)
            except (OSError, smtplib.SMTPException) as error:
                self._close()
                code = getattr(error, "smtp_code", "")
                raise ServerTrouble(f"{type(error).__name__} {code}".strip()) from None
        return self._server

    def _opened(self) -> smtplib.SMTP:
        host = self._url.hostname or "127.0.0.1"
        if self._url.scheme == "smtps":
            context = ssl.create_default_context()
            return _PatientOverTLS(host, self._url.port or 465, timeout=TIMEOUT, context=context)
        return _Patient(host, self._url.port or 25, timeout=TIMEOUT)

    def _secure_and_log_in(self, server: smtplib.SMTP) -> None:
        if self._url.scheme == "smtp" and parse_qs(self._url.query).get("starttls") == ["1"]:
            server.starttls(context=ssl.create_default_context())
        if self._url.username:
            server.login(unquote(self._url.username), unquote(self._url.password or ""))

    def _close(self) -> None:
        if self._server is not None:
            self._server.close()
            self._server = None


class _Patient(smtplib.SMTP):
    """Gives the server its time to take the mail in."""

    def data(self, msg: Any) -> tuple[int, bytes]:
        assert self.sock is not None
        self.sock.settimeout(TIMEOUT_OF_DATA)
        answer = super().data(msg)
        self.sock.settimeout(TIMEOUT)
        return answer


class _PatientOverTLS(_Patient, smtplib.SMTP_SSL):
    pass


def _lives(server: smtplib.SMTP) -> bool:
    try:
        return bool(server.noop()[0] == 250)
    except (OSError, smtplib.SMTPException):
        return False


def _of_recipients(answers: dict[str, tuple[int, bytes]]) -> NotSent:
    codes = {code for code, _ in answers.values()}
    if 421 in codes:
        return ServerTrouble("421")
    if all(code >= 500 for code in codes):
        return Refused("; ".join(_said(*answer) for answer in answers.values()))
    return TryLater(" ".join(map(str, sorted(codes))))


def _of_answer(code: int, text: bytes | str) -> NotSent:
    if code == 421:
        return ServerTrouble("421")
    if code < 500:
        return TryLater(str(code))
    said = _said(code, text)
    too_large = code == 552 or said.startswith(SIZES, len("5xx "))
    return TooLarge(said) if too_large else Refused(said)


def _said(code: int, text: bytes | str) -> str:
    """The answer on one line, cut at 200 characters."""
    plain = text.decode("utf-8", "replace") if isinstance(text, bytes) else text
    return " ".join(f"{code} {plain}".split())[:200]
