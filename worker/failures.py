"""Tells people of failures: what failed, why, what to do. A Celery task of its own, `mail.report`.

The engine keeps what nobody was told of yet (`unreported`); a mail is taken off that list after the SMTP server
has it, so none is lost while the server is down. Equal failures that are waiting go out in one mail.
"""

import json
import smtplib
from collections.abc import Iterable
from itertools import groupby
from pathlib import Path
from typing import Any, NamedTuple

import structlog
from celery import Task, shared_task
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from redis.exceptions import LockError

from mappers.email import mail_address
from moment.events import CustomerEvent, Event, InvalidEvent, InvoiceEvent, ProjectEvent, parse_event
from tasks.house import House, house_of
from tasks.names import EXPENSES, REPORT
from worker.mailer import Mailer
from worker.ordering import EventRecord

log = structlog.get_logger(__name__)

TEMPLATES = Environment(
    loader=FileSystemLoader(Path(__file__).parent / "templates"),
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
    autoescape=False,  # plain text
)
SHOWN = 20  # events named in one mail; the rest is counted


class Report(NamedTuple):
    """One event a person is told of, and what it is in words: `invoice 1001, 12500.00 SEK`."""

    record: EventRecord
    subject: str

    @property
    def cause(self) -> tuple[str, str, str, str]:
        return (self.record.company, self.record.status, self.record.code, self.record.reason)


@shared_task(name=REPORT, bind=True)
def report(task: Task[Any, Any]) -> int:
    """Mails what nobody was told of yet. Returns how many mails were sent."""
    house = house_of(task.app)
    try:
        with house.redis.lock("mf:reporting", timeout=120, blocking=False):
            return tell(house)
    except LockError:
        return 0  # another worker is at it


def tell(house: House) -> int:
    """Mails what nobody was told of yet, by cause. Returns how many mails the SMTP server took."""
    sent = 0
    mailer = Mailer(house.settings.smtp_url, house.settings.alerts_from)
    companies, reports = _collect(house)
    for company in companies:
        reason = house.ordering.paused(company)
        if reason is None or _mail_pause(house, mailer, company, reason):
            house.ordering.reported(company, "")
            sent += reason is not None
    for _, group in groupby(sorted(reports, key=lambda one: one.cause), key=lambda one: one.cause):
        equal = list(group)
        if _mail(house, mailer, equal):
            sent += 1
            for one in equal:
                house.ordering.reported(one.record.company, one.record.id)
    return sent


def _collect(house: House) -> tuple[list[str], list[Report]]:
    companies, reports = [], []
    for company, event_id in house.ordering.unreported(most=1000):
        if not event_id:
            companies.append(company)
            continue
        record = house.ordering.event(company, event_id)
        if record is None or (record.status == "done" and not record.reason):
            house.ordering.reported(company, event_id)
            continue
        reports.append(Report(record, describe(record, house.ordering.body(company, event_id))))
    return companies, reports


def describe(record: EventRecord, body: str | None) -> str:
    """What the event is about, as its reader calls it: by number, and with the amount of an invoice."""
    if record.type.startswith(f"{EXPENSES}.") and body:
        return str(json.loads(body).get("about") or "incoming expenses")
    words = " ".join(record.key.split("/")[1:])
    try:
        event: Event | None = parse_event(body) if body else None
    except InvalidEvent:
        event = None
    match event:
        case InvoiceEvent(invoice=invoice):
            kind = "credit note" if invoice.credited_invoice_number else "invoice"
            total = f"{invoice.total_including_vat:,.2f}".replace(",", " ")
            return f"{kind} {invoice.invoice_number} ({total} {invoice.currency_code})"
        case CustomerEvent(customer=customer):
            return f"customer {customer.customer_number} {customer.name}"
        case ProjectEvent(project=project):
            return f"project {project.project_number} {project.name}"
    return f"event {record.id}" if "invalid" in words else words


def _mail(house: House, mailer: Mailer, equal: list[Report]) -> bool:
    first = equal[0].record
    what = equal[0].subject if len(equal) == 1 else f"{len(equal)} events"
    verb = {"held": "is waiting", "done": "went through, with a remark"}.get(first.status, "failed")
    subject = f"Fortnox: {what} {verb}"
    text = TEMPLATES.get_template("failure.txt").render(
        reports=equal[:SHOWN], more=len(equal) - SHOWN, record=first, company=first.company
    )
    return _send(house, mailer, first.company, subject, text)


def _mail_pause(house: House, mailer: Mailer, company: str, reason: str) -> bool:
    text = TEMPLATES.get_template("paused.txt").render(company=company, reason=reason)
    return _send(house, mailer, company, "Fortnox: the connection needs you", text)


def _send(house: House, mailer: Mailer, company: str, subject: str, text: str) -> bool:
    recipients = list(_recipients(house, company))
    if not recipients:
        log.error("mail.no_recipient", company=company)  # the failure stays listed by `events list`
        return True
    try:
        for recipient in recipients:
            mailer.send(recipient, subject, text)
    except (OSError, smtplib.SMTPException) as error:
        log.warning("mail.not_sent", company=company, error=type(error).__name__)
        return False
    log.info("mail.sent", company=company)
    return True


def _recipients(house: House, company: str) -> Iterable[str]:
    """The company's own address; the operator's where it has none or is nobody's."""
    connection = house.connections.find(company)
    address = mail_address(connection.integration.error_email or "") if connection else None
    if address or house.settings.alerts_to:
        yield address or str(house.settings.alerts_to)
