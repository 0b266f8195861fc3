"""One round of mails: collects those that are due and sends them, until all are sent or the time is up.

A company's oldest mail is sent first, and none before it. A company whose mail cannot be sent delays no other.
"""

import time
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Final, Protocol

import structlog
from redis.exceptions import RedisError, ResponseError

from mails.damage import report_bug
from mails.mailer import NoRecipient
from mails.schedule import SERVER, DueMail, in_order, to_ms
from mails.smtp import MailNotSent, ServerUnavailable
from stores import Counters
from stores.mails import HOUR, MailState

log = structlog.get_logger(__name__)

ROUND: Final = 60.0  # seconds; the next round sends the rest


class Source(Protocol):
    def due(self) -> list[DueMail]:
        """The mails that may be sent now."""


class Dispatcher:
    """`keep_lock` is called before each mail; it raises when another process runs a round."""

    def __init__(
        self,
        sources: Sequence[Source],
        state: MailState,
        counters: Counters,
        now: Callable[[], datetime],
        keep_lock: Callable[[], object],
    ) -> None:
        self._sources = sources
        self._state = state
        self._counters = counters
        self._now = now
        self._keep_lock = keep_lock

    def round(self) -> int:
        """Return how many mails the server took."""
        mails = [mail for source in self._sources for mail in self._due(source)]
        sent, ends, delayed = 0, time.monotonic() + ROUND, set[str]()
        for mail in in_order(mails, self._state.backoffs(), to_ms(self._now())):
            if mail.company in delayed:
                continue
            if time.monotonic() > ends:
                break
            self._keep_lock()
            try:
                sent += mail.send()
            except ServerUnavailable as error:
                self._not_sent(mail, error)
                self._state.back_off(SERVER, to_ms(self._now()))
                break
            except MailNotSent as error:
                self._not_sent(mail, error)
                delayed.add(mail.company)
            except Exception as error:
                if _is_outage(error):
                    raise
                log.error("mail.broke", company=mail.company, exc_info=error)
                report_bug(mail.company, error)
                self._counters.count("mails", "not_sent")
                self._state.back_off(mail.company, to_ms(self._now()))
                delayed.add(mail.company)
        return sent

    def _due(self, source: Source) -> list[DueMail]:
        try:
            return source.due()
        except Exception as error:
            if _is_outage(error):
                raise
            log.error("mail.broke", source=type(source).__name__, exc_info=error)
            report_bug("", error)
            return []

    def _not_sent(self, mail: DueMail, error: MailNotSent) -> None:
        now = to_ms(self._now())
        if isinstance(error, NoRecipient):
            log.error("mail.no_recipient", company=mail.company)  # it stays pending; `events list` shows the event
            self._state.back_off(mail.company, now, HOUR)
            return
        log.warning("mail.not_sent", company=mail.company, error=type(error).__name__, why=str(error))
        self._counters.count("mails", "not_sent")
        if error.maybe_sent or not isinstance(error, ServerUnavailable):
            self._state.back_off(mail.company, now)


def _is_outage(error: Exception) -> bool:
    """Whether Redis itself is out of order. A key of the wrong type is damage of one mail."""
    return isinstance(error, RedisError) and not isinstance(error, ResponseError)
