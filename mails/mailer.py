"""Sends one mail: to the company's addresses, or to the operator where those refuse it.

The server may take a mail for some of a company's addresses only. Those that it refused for now get the same mail
later; the operator gets a copy when it refused one for good.
"""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from email.message import EmailMessage
from functools import partial
from typing import Final, Literal, NamedTuple

import structlog

from mails.audience import Audience
from mails.content import MailContent
from mails.listing import MAX_BYTES
from mails.mime import as_sent, message
from mails.recipients import AddressBook, Recipients
from mails.schedule import SERVER, DueMail, to_ms
from mails.smtp import (
    MailNotSent,
    MailTooLarge,
    PermanentlyRefused,
    Refusals,
    ServerUnavailable,
    SmtpSender,
    is_permanent,
)
from mails.writer import Writer
from messages import Message
from stores import Counters
from stores.mails import HOUR, DeferredMail, MailState

log = structlog.get_logger(__name__)

RETRY_AFTER: Final = 300_000  # ms until a deferred mail is tried again; then ever longer
GIVEN_UP_AFTER: Final = 24 * HOUR  # ms after which a deferring address counts as refused
PAGE: Final = 1000  # deferred mails read at a time


class NoRecipient(MailNotSent):
    """Neither the company nor the operator has an address."""


class OutgoingMail(NamedTuple):
    """A mail before its recipients, and so its language, are known.

    `thread` and `number` identify it: sent twice, it has the same Message-ID. `about` and `events` are for the log.
    `to`: whom it is for. What is for the company alone never goes to the operator instead.
    """

    company: str
    thread: str
    number: int
    write: Callable[[Writer], MailContent]
    about: str
    events: int = 0
    to: Literal["company", "company alone", "operator"] = "company"


class Mailer:
    """`sender` is the address in `ALERTS_FROM`. `audiences`: what each reader gets, by whether that is the operator."""

    def __init__(
        self,
        smtp: SmtpSender,
        addresses: AddressBook,
        state: MailState,
        counters: Counters,
        sender: str,
        audiences: Callable[[bool], Audience],
        now: Callable[[], datetime],
    ) -> None:
        self._smtp = smtp
        self._addresses = addresses
        self._state = state
        self._counters = counters
        self._sender = sender
        self._audiences = audiences
        self._now = now

    def send(self, mail: OutgoingMail) -> None:
        """Return when the server has the mail for at least one recipient. Raises `MailNotSent`."""
        find = self._addresses.only_operator if mail.to == "operator" else self._addresses.of_company
        to = find(mail.company)
        if not to.addresses or (to.is_operator and mail.to == "company alone"):
            raise NoRecipient("no address")
        try:
            refusals = self._hand_over(mail, to)
        except PermanentlyRefused as error:
            operator = self._operator_instead_of({", ".join(to.addresses): error.answer})
            if to.is_operator or not operator.addresses or mail.to == "company alone":
                raise
            log.warning("mail.address_refused", company=mail.company, answer=str(error))
            to, refusals = operator, self._hand_over(mail, operator)
        self._state.clear_backoff(SERVER, mail.company)
        self._counters.count("mails", "sent")
        log.info(
            "mail.sent",
            company=mail.company,
            about=mail.about,
            events=mail.events,
            to="operator" if to.is_operator else "company",
        )
        self._tell_operator(mail, refusals)

    def send_deferred(self, ref: str) -> bool:
        """Send a deferred mail again. Return whether an address has it now. Raises `ServerUnavailable`."""
        company, _, message_id = ref.partition(":")
        deferred, now = self._state.deferred(ref), to_ms(self._now())
        if deferred is None:
            self._state.drop_deferred(ref)
            return False
        try:
            refusals = self._smtp.send(as_sent(deferred.mail), deferred.addresses)
        except ServerUnavailable:
            raise
        except MailNotSent as error:
            answer = error.answer if isinstance(error, PermanentlyRefused) else str(error)
            refusals = dict.fromkeys(deferred.addresses, answer)
        sent = len(refusals) < len(deferred.addresses)
        waits = tuple(address for address, answer in refusals.items() if not is_permanent(answer))
        if waits and now - deferred.since < GIVEN_UP_AFTER:
            again = now + max(RETRY_AFTER, now - deferred.since)
            self._state.defer(ref, deferred._replace(addresses=waits), again)
            refusals = {address: answer for address, answer in refusals.items() if address not in waits}
        else:
            self._state.drop_deferred(ref)
        self._tell_operator(OutgoingMail(company, message_id, 0, Writer.undelivered, "undelivered"), refusals)
        if sent:
            self._state.clear_backoff(SERVER)
            self._counters.count("mails", "sent")
        return sent

    def _hand_over(self, mail: OutgoingMail, to: Recipients) -> Refusals:
        """Send it, without its list if it is too large, and defer it for some addresses. Return the other refusals."""
        try:
            message = self._message(mail, to)
            refusals = self._smtp.send(message)
        except MailTooLarge as error:
            log.warning("mail.too_large", company=mail.company, answer=str(error))
            message = self._message(mail, to, max_bytes=0)
            refusals = self._smtp.send(message)
        temporary = {address: answer for address, answer in refusals.items() if not is_permanent(answer)}
        if temporary:
            log.info("mail.address_put_off", company=mail.company, answer=next(iter(temporary.values()))[:3])
            now, ref = to_ms(self._now()), f"{mail.company}:{message['Message-ID']}"
            deferred = DeferredMail(message.as_bytes().decode("ascii"), tuple(temporary), now)
            self._state.defer(ref, deferred, now + RETRY_AFTER)
        return {address: answer for address, answer in refusals.items() if address not in temporary}

    def _tell_operator(self, mail: OutgoingMail, refusals: Refusals) -> None:
        """Send the mail to the operator too, with the refused addresses."""
        if not refusals or mail.to == "company alone":
            return
        log.warning("mail.address_refused", company=mail.company, answer=next(iter(refusals.values()))[:3])
        operator = self._operator_instead_of(refusals)
        if operator.addresses:
            try:
                self._smtp.send(self._message(mail, operator))
            except MailNotSent as error:
                log.warning("mail.not_sent", company=mail.company, error=type(error).__name__, why=str(error))

    def _operator_instead_of(self, refusals: Refusals) -> Recipients:
        addresses, answers = ", ".join(refusals), "; ".join(refusals.values())
        return self._addresses.operator(Message("mail.to-operator.refused", address=addresses, answer=answers))

    def _message(self, mail: OutgoingMail, to: Recipients, max_bytes: int = MAX_BYTES) -> EmailMessage:
        audience = self._audiences(to.is_operator)._replace(name=self._addresses.name_of(mail.company))
        writer = Writer(mail.company, to.language, max_bytes, audience=audience)
        content = mail.write(writer)
        if to.note:
            content = replace(content, lead=" ".join(filter(None, (writer.say(to.note), content.lead))))
        return message(
            content,
            sender=self._sender,
            to=to.addresses,
            company=mail.company,
            thread=mail.thread,
            n=mail.number,
            now=self._now(),
            reply_to=audience.reply_to,
        )


class DeferredMails:
    """Mails that some addresses have yet to get."""

    def __init__(self, state: MailState, mailer: Mailer, now: Callable[[], datetime]) -> None:
        self._state = state
        self._mailer = mailer
        self._now = now

    def due(self) -> list[DueMail]:
        refs = self._state.due_deferred(to_ms(self._now()), PAGE)
        return [DueMail(at, ref.partition(":")[0], partial(self._mailer.send_deferred, ref)) for at, ref in refs]
