"""One round of mails: collects those that are due and sends them, until all are sent or the time is up.

A company's oldest mail is sent first, and none before it. A company whose mail cannot be sent delays no other.
"""

import time
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Final, Protocol

import sentry_sdk
import structlog
from redis.exceptions import RedisError

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
        mails = [mail for source in self._sources for mail in source.due()]
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
            except RedisError:
                raise
            except Exception as error:
                log.error("mail.broke", company=mail.company, exc_info=error)
                self._report_bug(mail, error)
                delayed.add(mail.company)
        return sent

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

    def _report_bug(self, mail: DueMail, error: Exception) -> None:
        """A mail that cannot be written delays the mails of its own company."""
        with sentry_sdk.new_scope() as scope:
            scope.set_tag("company", mail.company)
            sentry_sdk.capture_exception(error)
        self._counters.count("mails", "not_sent")
        self._state.back_off(mail.company, to_ms(self._now()))
