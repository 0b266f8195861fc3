"""The web page: the contents of each ledger, the mails and the latest requests. Read-only."""

from decimal import Decimal
from itertools import islice
from pathlib import Path
from typing import Final, TypeVar

from jinja2 import Environment, FileSystemLoader, select_autoescape

from sandbox.clock import Clock
from sandbox.fortnox.ledger import Invoice, Ledger, SupplierInvoice
from sandbox.fortnox.tenants import Tenants
from sandbox.http import Answer, Call, Json, answer_html
from sandbox.journal import Journal
from sandbox.moment import Moment
from sandbox.smtp import Mailbox

T = TypeVar("T")

SHOWN: Final = 50  # rows of each table, newest first

TEMPLATES: Final = Environment(
    loader=FileSystemLoader(Path(__file__).parent / "templates"),
    autoescape=select_autoescape(),
    trim_blocks=True,
    lstrip_blocks=True,
)


class Page:
    def __init__(self, clock: Clock, tenants: Tenants, journal: Journal, mailbox: Mailbox, moment: Moment) -> None:
        self._clock = clock
        self._tenants = tenants
        self._journal = journal
        self._mailbox = mailbox
        self._moment = moment

    def show(self, _call: Call) -> Answer:
        ledgers = [self._ledger(one) for one in self._tenants.ledgers.values()]
        page = TEMPLATES.get_template("page.html").render(
            now=self._clock.local(),
            ledgers=ledgers,
            mails=self._mailbox.mails[: -SHOWN - 1 : -1],
            mail_count=len(self._mailbox.mails),
            requests=list(islice(reversed(self._journal.entries), SHOWN)),
            request_count=self._journal.counts.total(),
        )
        return answer_html(page)

    def _ledger(self, ledger: Ledger) -> Json:
        company = self._moment.companies.get(ledger.name)
        expenses = [one.fields for one in company.expenses.values()] if company else []
        return {
            "name": ledger.name,
            "title": ledger.settings.company_name,
            "number": ledger.database_number,
            "customers": [one.fields for one in _latest(ledger.customers)],
            "customer_count": len(ledger.customers),
            "projects": [one.fields for one in _latest(ledger.projects)],
            "project_count": len(ledger.projects),
            "invoices": [_invoice(ledger, one) for one in _latest(ledger.invoices)],
            "invoice_count": len(ledger.invoices),
            "posted_count": sum(one.booked for one in ledger.invoices.values()),
            "supplier_invoices": [_supplier_invoice(one) for one in _latest(ledger.supplier_invoices)],
            "supplier_invoice_count": len(ledger.supplier_invoices),
            "expenses": expenses[: -SHOWN - 1 : -1],
            "expense_count": len(expenses),
        }


def _latest(records: dict[str, T]) -> list[T]:
    return list(islice(reversed(records.values()), SHOWN))


def _invoice(ledger: Ledger, invoice: Invoice) -> Json:
    attached = ledger.attachments_of.get(int(invoice.number), [])
    return {
        "number": invoice.number,
        "customer": invoice.header["CustomerName"],
        "date": invoice.header["InvoiceDate"],
        "due": invoice.header["DueDate"],
        "project": invoice.header["Project"],
        "currency": invoice.header["Currency"],
        "total": f"{invoice.sums.total:,.2f}".replace(",", "\u202f"),
        "posted": invoice.booked,
        "cancelled": invoice.cancelled,
        "credits": invoice.invoice_reference if invoice.invoice_reference != "0" else "",
        "voucher": f"{invoice.voucher[0]} {invoice.voucher[1]}" if invoice.voucher else "",
        "files": [one.file.name for one in attached],
    }


def _supplier_invoice(invoice: SupplierInvoice) -> Json:
    costs = [row for row in invoice.rows if row["Code"] not in ("TOT", "VAT")]
    projects = [str(row["Project"] or invoice.fields["Project"]) for row in costs]
    return {
        "number": invoice.number,
        "supplier": invoice.fields["SupplierName"],
        "theirs": invoice.fields["InvoiceNumber"],
        "date": invoice.fields["InvoiceDate"],
        "projects": list(dict.fromkeys(filter(None, projects))),
        "accounts": list(dict.fromkeys(str(row["Account"]) for row in costs)),
        "currency": invoice.fields["Currency"],
        "total": f"{Decimal(str(invoice.fields['Total'])):,.2f}".replace(",", "\u202f"),
        "approved": invoice.approved,
        "posted": invoice.booked,
        "cancelled": invoice.cancelled,
    }
