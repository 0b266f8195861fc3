"""The sample working day in a running system: publishing it, and comparing the ledger with what it must hold."""

from contextlib import suppress
from decimal import Decimal
from typing import Any, Final

from delivery.polling import POLL_ID, poll_asked
from delivery.services import Services
from local.day import (
    CARDS,
    COMPANY,
    ERROR_EMAIL,
    EXPENSES,
    PROJECTS,
    SUPPLIER_INVOICES,
    TEXT_ROW,
    VAT_NUMBERS,
    Expected,
    working_day,
)
from local.stack import Stack
from local.waiting import DeadlineExceeded, wait_until
from moment.events import parse_event
from operations.publish import publish
from operations.status import overview

DELIVERY: Final = 60.0  # seconds the sample day may take; it takes about ten
MAIL: Final = 30.0
MAILS: Final = 2  # on connecting: an account of a waiting invoice is not in Fortnox; later: the invoice failed


def prepare_ledger(stack: Stack) -> None:
    """Make the company's ledger, with what people have entered there before the day begins."""
    stack.sandbox.tenant(COMPANY, text_row=TEXT_ROW)
    for number, card in CARDS.items():
        stack.sandbox.customer(COMPANY, number, **card)


def publish_day(stack: Stack, services: Services) -> int:
    """Publish the day's events, as Moment would. Return how many there are."""
    events = working_day(stack.sandbox.code(COMPANY))
    for event in events:
        publish(services, parse_event(event))
    return len(events)


def arrivals(stack: Stack) -> list[tuple[str, str]]:
    """What the ledger holds by now: a name for each thing, and what to call it."""
    ledger = stack.sandbox.state(COMPANY)
    customers = [
        (f"c{one['CustomerNumber']}", f"customer {one['CustomerNumber']}") for one in items(ledger, "customers")
    ]
    projects = [(f"p{one['ProjectNumber']}", f"project {one['ProjectNumber']}") for one in items(ledger, "projects")]
    invoices = [
        (f"i{one['DocumentNumber']}", f"invoice {one['DocumentNumber']} posted")
        for one in items(ledger, "invoices")
        if one["Booked"]
    ]
    return [*customers, *projects, *invoices]


def items(ledger: dict[str, Any], kind: str) -> list[dict[str, Any]]:
    """All things of a kind in the ledger."""
    found = ledger[kind]
    return list(found.values() if isinstance(found, dict) else found)


def enter_supplier_invoices(stack: Stack) -> None:
    """Do what people do in Fortnox: enter supplier invoices, some on projects that Moment has."""
    for number in PROJECTS:
        stack.sandbox.moment_project(COMPANY, number)
    for supplier, number, row, more in SUPPLIER_INVOICES:
        named = {"SupplierName": supplier, "InvoiceNumber": number} | more.get("invoice", {})
        stack.sandbox.supplier_invoice(COMPANY, row, **{**more, "invoice": named})


def publish_day_and_costs(stack: Stack, services: Services) -> None:
    """Publish the day, enter its supplier invoices once the projects are in Fortnox, and have the company polled."""
    publish_day(stack, services)
    with suppress(DeadlineExceeded):  # on a slow machine the next poll finds them
        wait_until(lambda: not overview(services).under_way, what="the day to arrive", timeout=DELIVERY)
    enter_supplier_invoices(stack)
    poll_asked(services.ordering, COMPANY)


def wait_for_expenses(stack: Stack, services: Services) -> None:
    """Have the company polled now, not within ten minutes, and wait until Moment has its expenses."""
    poll_asked(services.ordering, COMPANY)
    wait_until(
        lambda: (
            len(stack.sandbox.expenses(COMPANY)) >= len(EXPENSES) and services.ordering.event(COMPANY, POLL_ID) is None
        ),
        what="the expenses to be in Moment",
        timeout=DELIVERY,
    )


def wait_for_mails(stack: Stack) -> None:
    """Wait until the company has been mailed everything it must be told."""
    wait_until(lambda: len(stack.sandbox.mails()) >= MAILS, what="the mails to the company", timeout=MAIL)


def differences(stack: Stack, services: Services, wanted: Expected) -> list[str]:
    """Every difference between the ledger and what it must hold; none where the day arrived exactly."""
    ledger = stack.sandbox.state(COMPANY)
    invoices = {int(one["DocumentNumber"]): one for one in items(ledger, "invoices")}
    failed = {record.id for record in services.ordering.failed(COMPANY)}
    mailed = [mail for mail in stack.sandbox.mails() if ERROR_EMAIL in str(mail)]
    checks: list[tuple[str, object, object]] = [
        ("customers", {one["CustomerNumber"]: one["Name"] for one in items(ledger, "customers")}, wanted.customers),
        (
            "VAT numbers",
            {
                one["CustomerNumber"]: (one["VATNumber"], one["VATType"])
                for one in items(ledger, "customers")
                if one["VATNumber"]
            },
            VAT_NUMBERS,
        ),
        ("projects", {one["ProjectNumber"]: one["Description"] for one in items(ledger, "projects")}, wanted.projects),
        (
            "invoices",
            {n: Decimal(str(one["Total"])) for n, one in invoices.items()},
            {n: t for n, (t, _) in wanted.invoices.items()},
        ),
        ("posted", {n for n, one in invoices.items() if one["Booked"]}, set(wanted.invoices)),
        (
            "files",
            {n: len(one["attachments"]) for n, one in invoices.items()},
            {n: f for n, (_, f) in wanted.invoices.items()},
        ),
        ("failed events", failed, set(wanted.failed)),
        ("mails to the company", len(mailed), MAILS),
        (
            "expenses in Moment",
            {name: one["amountExcludingVat"] for name, one in stack.sandbox.expenses(COMPANY).items()},
            EXPENSES,
        ),
    ]
    return [f"{what}: found {found}, expected {right}" for what, found, right in checks if found != right]
