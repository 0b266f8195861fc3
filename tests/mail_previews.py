"""One content of each kind, in both languages: `python -m tests.mail_previews DIRECTORY` writes HTML and text."""

import sys
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

from fortnox.situations import SITUATIONS
from mails.content import MailContent
from mails.items import Item
from mails.render import as_html, as_text
from mails.things import Thing
from mails.writer import WORDS, History, Standstill, Writer
from messages import text
from ordering import EventRecord

AT = datetime(2026, 11, 23, 8, 14, tzinfo=UTC)
LOCKED = SITUATIONS["period-locked"].en


def a_record(event_id: str = "e3", key: str = "acme/invoice/1001", **fields: Any) -> EventRecord:
    given: dict[str, Any] = {
        "id": event_id,
        "company": "acme",
        "type": "invoice.finalized",
        "key": key,
        "status": "failed",
        "reason": LOCKED.reason,
        "remedy": LOCKED.remedy,
        "code": "period-locked 2000401",
        "said": "Perioden är låst till och med 2026-11-30.",
        "attempts": 1,
        "occurred_at": AT,
        "accepted_at": AT,
        "settled_at": AT,
        "blocker": "",
    }
    said = given | fields
    said |= {name: text(str(said[name])) for name in ("reason", "remedy")}
    return EventRecord(**said)


def an_invoice(number: int = 1001, total: str = "12500.00", behind: tuple[Thing, ...] = (), **fields: Any) -> Item:
    about = Thing(
        "invoice", str(number), customer="10001", customer_name="Skånska Bygg AB", total=Decimal(total), currency="SEK"
    )
    record = a_record(f"e{number}", f"acme/invoice/{number}", **fields)
    return Item(record, about, len(behind), behind)


def letters(language: str) -> dict[str, MailContent]:
    writer = Writer("acme", WORDS[language])
    since = AT - timedelta(hours=4, minutes=2)
    many = [an_invoice(1001 + n, f"{12500 + n * 1731}.50") for n in range(47)]
    account = {
        "reason": SITUATIONS["account-unknown"].en.reason,
        "remedy": SITUATIONS["account-unknown"].en.remedy,
        "code": "account-unknown 2000423",
    }
    accounts = [an_invoice(1050 + n, said=f"Kan inte hitta konto {3590 + n}.", **account) for n in range(3)]
    held = an_invoice(
        1002,
        status="held",
        blocker="acme/customer/10001",
        reason=SITUATIONS["customer-unknown"].en.reason,
        remedy=SITUATIONS["customer-unknown"].en.remedy,
        code="customer-unknown 2000433",
        said="Kan inte hitta kunden 10001.",
    )
    customer = Item(
        a_record(
            "c7",
            "acme/customer/10007",
            status="done",
            reason="'anna@' is not one e-mail address that Fortnox can hold. "
            "It was left out; what Fortnox holds there stays as it was. Correct it in Moment.",
            remedy="",
            code="",
            said="",
        ),
        Thing("customer", "10007", "Älvsjö Måleri & Co"),
    )
    bad = a_record(
        "bad",
        "acme/invalid/1f0c",
        reason="Not a valid event: customer.customerNumber: must be 1 to 50 characters without a slash or a space "
        "(given: '1/2'); customer.name: is missing",
        remedy="Mend the event where it is made and send it again with a new id.",
        code="",
        said="",
    )
    back = Item(
        a_record(
            "s17",
            "acme/expenses",
            reason="Row 2: the expense is already invoiced to the customer in Moment, so it stays as it is there "
            "(1200.00 SEK on account 4010, project 1). In Fortnox it is now: 1350.00 SEK on account 4010, project 1.",
            remedy="Settle the difference with the customer if need be, then skip this event.",
            code="",
            said="",
        ),
        Thing("supplierInvoice", "17", "(Ahlsell Sverige AB)"),
    )
    checked = Item(
        a_record(
            "i1",
            "acme/integration",
            status="done",
            reason=SITUATIONS["project-module-off"].en.reason,
            remedy="",
            code="",
            said="",
        ),
        Thing("integration", ""),
    )
    still = Standstill(
        text(SITUATIONS["grant-dead"].en.reason),
        since,
        AT,
        37,
        timedelta(days=1),
    )
    waits = (
        Thing("creditNote", "1004", customer="10001", customer_name="Skånska Bygg AB"),
        Thing("invoice", "1010", customer="10002"),
    )
    return {
        "failed": writer.events([an_invoice(behind=waits)], History(1, 0, since)),
        "digest": writer.events(many, History(len(many), 1, since)),
        "reasons": writer.events(accounts, History(3, 0, since)),
        "held": writer.events([held], History(1, 0, since)),
        "remark": writer.events([customer], History(1, 0, since)),
        "invalid": writer.events([Item(bad, Thing("event", "bad"))], History(1, 0, since)),
        "back": writer.events([back], History(1, 0, since)),
        "checked": writer.events([checked], History(1, 0, since)),
        "paused": writer.paused(still, 0),
        "paused-link": writer.paused(still._replace(link="https://apps.fortnox.se/oauth-v1/auth?client_id=x"), 1),
        "outage": writer.outage(still),
        "well": writer.well(still, "outage"),
    }


def main(directory: Path) -> None:
    directory.mkdir(parents=True, exist_ok=True)
    for language in WORDS:
        for name, content in letters(language).items():
            (directory / f"{name}.{language}.html").write_text(as_html(content), encoding="utf-8")
            (directory / f"{name}.{language}.txt").write_text(as_text(content), encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
