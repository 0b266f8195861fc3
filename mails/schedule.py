"""Which mails may be sent now, and in which order. Pure: the time is an argument."""

from collections.abc import Callable, Collection, Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

SERVER = ""  # the back-off that holds for all companies: the SMTP server serves nobody


class DueMail(NamedTuple):
    """A mail to a company, since when it is due (ms), and how it is sent.

    `send` returns whether a mail was sent; it may find that there is nothing left to say. Raises `MailNotSent`.
    """

    at: int
    company: str
    send: Callable[[], bool]


def in_order(mails: Iterable[DueMail], backoffs: Mapping[str, int], now: int) -> list[DueMail]:
    """The mails of companies that do not back off, the oldest first; none while the server backs off.

    A company whose last mail was not sent comes after all others: that mail may be why the server stopped serving.
    """
    backing_off: Collection[str] = {scope for scope, until in backoffs.items() if until > now}
    if SERVER in backing_off:
        return []
    allowed = (mail for mail in mails if mail.company not in backing_off)
    return sorted(allowed, key=lambda mail: (mail.company in backoffs, mail.at))


def to_ms(time: datetime) -> int:
    return round(time.timestamp() * 1000)


def from_ms(ms: int) -> datetime:
    return datetime.fromtimestamp(0, UTC) + timedelta(milliseconds=ms)
