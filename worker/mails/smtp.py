"""Hands mails to the server of `SMTP_URL`: `smtp://user:password@host:587?starttls=1` or `smtps://…`."""

import contextlib
import smtplib
import ssl
from email.message import EmailMessage
from types import TracebackType
from typing import Self
from urllib.parse import parse_qs, unquote, urlsplit

from pydantic import SecretStr

TIMEOUT = 10.0  # seconds for each answer


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


class Courier:
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

    def send(self, mail: EmailMessage) -> dict[str, str]:
        """Once it returns, the server has the mail. Returns the addresses refused for good, with the answer.

        Raises `ServerTrouble`, `TryLater` and `Refused`.
        """
        server = self._connected()
        try:
            refused = server.send_message(mail)
        except smtplib.SMTPRecipientsRefused as error:
            raise _of_recipients(error.recipients) from None
        except smtplib.SMTPSenderRefused as error:
            raise ServerTrouble(f"the sender was refused: {error.smtp_code}") from None
        except smtplib.SMTPNotSupportedError:
            raise Refused("550 the server takes no address with letters beyond ASCII") from None
        except smtplib.SMTPResponseException as error:
            raise _of_answer(error.smtp_code, error.smtp_error) from None
        except (OSError, smtplib.SMTPException) as error:
            self._close()
            raise ServerTrouble(type(error).__name__, in_doubt=True) from None
        return {to: _said(code, text) for to, (code, text) in refused.items() if code >= 500}

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
            return smtplib.SMTP_SSL(host, self._url.port or 465, timeout=TIMEOUT, context=context)
        return smtplib.SMTP(host, self._url.port or 25, timeout=TIMEOUT)

    def _secure_and_log_in(self, server: smtplib.SMTP) -> None:
        if self._url.scheme == "smtp" and parse_qs(self._url.query).get("starttls") == ["1"]:
            server.starttls(context=ssl.create_default_context())
        if self._url.username:
            server.login(unquote(self._url.username), unquote(self._url.password or ""))

    def _close(self) -> None:
        if self._server is not None:
            self._server.close()
            self._server = None


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
    return Refused(_said(code, text)) if code >= 500 else TryLater(str(code))


def _said(code: int, text: bytes | str) -> str:
    """The answer on one line, cut at 200 characters."""
    plain = text.decode("utf-8", "replace") if isinstance(text, bytes) else text
    return " ".join(f"{code} {plain}".split())[:200]
