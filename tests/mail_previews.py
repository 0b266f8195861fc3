"""One mail of each kind, in both languages: `python -m tests.mail_previews DIRECTORY` writes HTML and text."""

import sys
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, get_args

from fortnox.situations import explanation
from mails.audience import Audience
from mails.content import MailContent
from mails.entities import Entity
from mails.items import Item
from mails.links import path_of
from mails.render import as_html, as_text
from mails.writer import Earlier, OutageReport, Writer
from messages import NOTHING, Message, Money
from messages.catalogue import Language
from moment.events import InvalidEvent, Problem
from ordering import EventRecord

AT = datetime(2026, 11, 23, 8, 14, tzinfo=UTC)
CONTACT = "Driftbolaget, support@drift.example, 08-123 45 67"


def a_link(company: str, *, event: str = "", cause: str = "", connect: bool = False) -> str:
    """As long as a real one."""
    return f"https://fortnox.drift.example/l/{'gAAAAABpKYk2' * 18}"


def an_address(company: str, *, event: str = "", cause: str = "", connect: bool = False) -> str:
    return f"https://fortnox.drift.example{path_of(company, event=event, cause=cause, connect=connect)}"


WITH_CONSOLE = Audience(name="Ekbergs Bygg AB", contact=CONTACT, reply_to="support@drift.example", link_to=a_link)
WITHOUT_CONSOLE = WITH_CONSOLE._replace(link_to=None)
NOTHING_SET = Audience()
OPERATOR = Audience(is_operator=True, name="Ekbergs Bygg AB", link_to=an_address)
LANGUAGES: tuple[Language, ...] = get_args(Language)


def an_expense(amount: str) -> Message:
    return Message("expense.described", amount=Money(Decimal(amount), "SEK"), account="4010", project="1")


def situation(name: str) -> dict[str, Message]:
    """The reason and the remedy of one of Fortnox's situations."""
    return explanation(name)._asdict()


def a_record(event_id: str = "e3", key: str = "acme/invoice/1001", **fields: Any) -> EventRecord:
    given: dict[str, Any] = {
        "id": event_id,
        "company": "acme",
        "type": "invoice.finalized",
        "key": key,
        "status": "failed",
        **situation("period-locked"),
        "code": "period-locked 2000401",
        "said": "Perioden är låst till och med 2026-11-30.",
        "attempts": 1,
        "occurred_at": AT,
        "accepted_at": AT,
        "settled_at": AT,
        "blocker": "",
    }
    return EventRecord(**(given | fields))


def an_invoice(number: int = 1001, total: str = "12500.00", behind: tuple[Entity, ...] = (), **fields: Any) -> Item:
    entity = Entity(
        "invoice", str(number), customer="10001", customer_name="Skånska Bygg AB", total=Decimal(total), currency="SEK"
    )
    record = a_record(f"e{number}", f"acme/invoice/{number}", **fields)
    return Item(record, entity, len(behind), behind)


def without_code(event_id: str, key: str, reason: Message, remedy: Message = NOTHING, **fields: Any) -> EventRecord:
    return a_record(event_id, key, reason=reason, remedy=remedy, code="", said="", **fields)


def previews(language: Language) -> dict[str, MailContent]:
    writer = Writer("acme", language, audience=WITH_CONSOLE)
    without, bare, operator = (
        Writer("acme", language, audience=audience) for audience in (WITHOUT_CONSOLE, NOTHING_SET, OPERATOR)
    )
    since = AT - timedelta(hours=4, minutes=2)
    many = [an_invoice(1001 + n, f"{12500 + n * 1731}.50") for n in range(47)]
    accounts = [
        an_invoice(
            1050 + n,
            **situation("account-unknown"),
            code="account-unknown 2000423",
            said=f"Kan inte hitta konto {3590 + n}.",
        )
        for n in range(3)
    ]
    held = an_invoice(
        1002,
        status="held",
        blocker="acme/customer/10001",
        **situation("customer-unknown"),
        code="customer-unknown 2000433",
        said="Kan inte hitta kunden 10001.",
    )
    remark = Message("customer.email-unusable", value="anna@")
    customer = Item(
        without_code("c7", "acme/customer/10007", remark, status="done"),
        Entity("customer", "10007", "Älvsjö Måleri & Co"),
    )
    unreadable = without_code(
        "bad",
        "acme/invalid/1f0c",
        InvalidEvent(
            (
                Problem("customer.customerNumber", Message("event.pattern-number"), "'1/2'"),
                Problem("customer.name", Message("event.missing")),
            )
        ).message,
        Message("event.correct-and-resend"),
    )
    expense = without_code(
        "s17",
        "acme/expenses",
        Message("expense.already-invoiced", row="2", invoiced=an_expense("1200.00"), now=an_expense("1350.00")),
        Message("expense.settle-difference"),
    )
    polling = without_code("poll", "acme/expenses", Message("delivery.bug", error="KeyError"))
    checked = without_code("i1", "acme/integration", situation("project-module-off")["reason"], status="done")
    behind = (
        Entity("creditNote", "1004", customer="10001", customer_name="Skånska Bygg AB"),
        Entity("invoice", "1010", customer="10002"),
    )
    failed_customer = Item(
        without_code(
            "c8",
            "acme/customer/10008",
            Message("customer.number-is-anothers", number="10008", other="Borg AB", ours="Berg AB"),
            Message("customer.number-is-anothers.remedy", company="acme", event="c8"),
        ),
        Entity("customer", "10008", "Berg AB"),
    )
    companies = [
        Item(a_record(f"n{n}", f"{name}/invoice/{n}", company=name), Entity("invoice", str(n)))
        for name, events in (("alfa", 3), ("beta", 1))
        for n in range(events)
    ]
    mixed = [an_invoice(1001), Item(a_record("e9"), Entity("creditNote", "1009", customer="10001"))]
    paused = OutageReport("paused", situation("grant-dead")["reason"], since, AT, 37, timedelta(days=1))
    unavailable = paused._replace(kind="unavailable", reason=NOTHING)
    return {
        "failed": writer.events([an_invoice(behind=behind)]),
        "digest": writer.events(many, Earlier(1, since)),
        "reasons": writer.events(accounts),
        "mixed": writer.events(mixed),
        "held": writer.events([held]),
        "remark": writer.events([customer]),
        "unreadable": operator.events([Item(unreadable, Entity("event", "bad"))]),
        "unreadable-without-operator": writer.events([Item(unreadable, Entity("event", "bad"))]),
        "expense": writer.events([Item(expense, Entity("supplierInvoice", "17", "Ahlsell Sverige AB"))]),
        "import": operator.events([Item(polling, Entity("expenses", ""))]),
        "checked": writer.events([Item(checked, Entity("integration", ""))]),
        "paused": writer.paused(paused, 1),
        "paused-link": without.paused(
            paused._replace(consent_url="https://apps.fortnox.se/oauth-v1/auth?client_id=x"), 2
        ),
        "unavailable": writer.unavailable(unavailable),
        "recovered": writer.recovered(unavailable),
        "connected-again": writer.recovered(paused),
        "lost-operator": operator.lost_data(Message("redis.lost.set-back", at=AT, back_to=since, gone=1200)),
        "undelivered": operator.undelivered(),
        "new-link": writer.new_link(),
        "failed-without-console": without.events([an_invoice(behind=behind)]),
        "customer-without-console": without.events([failed_customer]),
        "failed-with-nothing-set": bare.events([an_invoice()]),
        "held-without-console": without.events([held]),
        "paused-without-console": without.paused(paused, 1),
        "failed-operator": operator.events([an_invoice(behind=behind)]),
        "digest-operator": operator.events(many, Earlier(1, since)),
        "paused-operator": operator.paused(paused, 1),
        "companies-operator": operator.companies(companies),
    }


def main(directory: Path) -> None:
    directory.mkdir(parents=True, exist_ok=True)
    for language in LANGUAGES:
        for name, content in previews(language).items():
            (directory / f"{name}.{language}.html").write_text(as_html(content), encoding="utf-8")
            (directory / f"{name}.{language}.txt").write_text(as_text(content), encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
