"""Mails with the new link that somebody asked for, to the company's own address and nobody else."""

from collections.abc import Callable
from datetime import datetime
from functools import partial
from typing import Final

import structlog

from mails.mailer import Mailer, NoRecipient, OutgoingMail
from mails.schedule import DueMail
from mails.smtp import PermanentlyRefused
from mails.writer import Writer
from stores.mail_links import MailLinks

log = structlog.get_logger(__name__)

PAGE: Final = 1000  # companies read at a time


class AskedLinks:
    def __init__(self, links: MailLinks, mailer: Mailer, now: Callable[[], datetime]) -> None:
        self._links = links
        self._mailer = mailer
        self._now = now

    def due(self) -> list[DueMail]:
        return [DueMail(at, company, partial(self._send, company, at)) for company, at in self._links.asked(PAGE)]

    def _send(self, company: str, at: int) -> bool:
        """Send it. Where the company has no address that takes it, it is dropped: it may be asked for again."""
        mail = OutgoingMail(company, f"{company}:link:{at}", 1, Writer.new_link, "new link", to="company alone")
        try:
            self._mailer.send(mail)
        except (NoRecipient, PermanentlyRefused) as error:
            log.warning("mail.link_not_sent", company=company, error=type(error).__name__)
            self._links.mailed(company)
            return False
        self._links.mailed(company)
        return True
