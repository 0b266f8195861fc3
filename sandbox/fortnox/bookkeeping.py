"""The reasons that prevent posting an invoice. Reads the ledger and changes nothing.

Sources: error texts of Fortnox's error page and of integrators' help pages (locked period, financial year,
project period, accounts). The voucher's date is the invoice date.
"""

from collections.abc import Iterator
from datetime import date

from sandbox.fortnox import errors
from sandbox.fortnox.errors import Refused
from sandbox.fortnox.ledger import Invoice, Ledger


def refuse_if_stopped(ledger: Ledger, invoice: Invoice) -> None:
    """Raises Refused with the first reason that prevents posting."""
    settings = ledger.settings
    if invoice.cancelled:
        raise _stopped(invoice, "Fakturan är makulerad.")
    if invoice.booked:
        raise Refused(settings.already_booked_code, f"Fakturanummer {invoice.number} är redan bokförd.")
    if settings.zero_posting == "refused" and invoice.sums.total == 0:
        raise _stopped(invoice, "Det finns inget belopp att bokföra.")
    if settings.accounting_method == "CASH":
        raise _stopped(invoice, "Bokföringsmetoden är kontantmetoden.")
    if settings.posting_stopped:
        raise _stopped(invoice, settings.posting_stopped)
    if settings.warehouse_module and settings.warehouse_migrating:
        raise _stopped(invoice, "Migrering till lagermodulen pågår.", 2003241)
    if invoice.header["NotCompleted"] or (settings.warehouse_module and not invoice.warehouse_ready):
        raise _stopped(invoice, "Faktura som bokförs måste vara klarmarkerad.", 2003498)
    _check_period(ledger, invoice)
    if settings.invoice_voucher_series is None:
        raise _stopped(invoice, "Ogiltig verifikationsserie.", 2001939)
    _check_rows(ledger, invoice)
    _check_fees(ledger, invoice)


def _stopped(invoice: Invoice, reason: str, code: int = errors.BOOKKEEPING_STOPPED) -> Refused:
    return Refused(code, f"Kunde inte bokföra fakturanummer {invoice.number}. {reason}")


def _check_period(ledger: Ledger, invoice: Invoice) -> None:
    settings = ledger.settings
    day = date.fromisoformat(invoice.header["InvoiceDate"])
    if ledger.year_of(day) is None:
        raise _stopped(invoice, "Räkenskapsår saknas för valt datum.")
    if settings.locked_until is not None and day <= settings.locked_until:
        reason = f"{settings.company_name} har låst perioden t.o.m. {settings.locked_until}."
        raise _stopped(invoice, reason, settings.locked_period_code)


def _check_rows(ledger: Ledger, invoice: Invoice) -> None:
    for project in dict.fromkeys(_projects(invoice)):
        _check_project(ledger, invoice, project)
    for row in invoice.rows:
        if not row["AccountNumber"]:  # text alone
            continue
        account = ledger.accounts.get(row["AccountNumber"])
        if row["DeliveredQuantity"] > 0 and not row["Description"] and not row["ArticleNumber"]:
            raise _stopped(invoice, "En rad med antal saknar text eller artikel.", 2003977)
        if account is None:
            raise _stopped(invoice, f"Kunde inte hitta konto {row['AccountNumber']}.", 2001304)
        if not account.active:
            raise _stopped(invoice, f"Konto {account.number} är inte aktivt.", 2000550)
        has_project = bool(row["Project"] or invoice.header["Project"])
        if account.project_settings == "MANDATORY" and not has_project:
            raise _stopped(invoice, f"Projekt är obligatoriskt på konto {account.number}.")
        if account.project_settings == "NOTALLOWED" and has_project:
            raise _stopped(invoice, f"Projekt är inte tillåtet på konto {account.number}.")
        if account.cost_center_settings == "MANDATORY" and not (row["CostCenter"] or invoice.header["CostCenter"]):
            raise _stopped(invoice, f"Kostnadsställe är obligatoriskt på konto {account.number}.")


def _projects(invoice: Invoice) -> Iterator[str]:
    """The projects posted on: the row's own, else the header's."""
    if invoice.header["Project"]:
        yield invoice.header["Project"]
    for row in invoice.rows:
        if row["Project"]:
            yield row["Project"]


def _check_project(ledger: Ledger, invoice: Invoice, number: str) -> None:
    record = ledger.projects.get(number)
    if record is None:
        raise _stopped(invoice, "Kan inte hitta projektet.", 2001161)
    day = invoice.header["InvoiceDate"]
    first, last = record.fields["StartDate"], record.fields["EndDate"]
    startless = not first and ledger.settings.project_without_start_refused
    if startless or (first and day < first) or (last and day > last):
        raise _stopped(invoice, f"Projektredovisningsperioden är inte aktiv för projekt {number}.")
    if record.fields["Status"] == "COMPLETED" and ledger.settings.completed_project_refused:
        raise _stopped(invoice, f"Projekt {number} är avslutat.")


def _check_fees(ledger: Ledger, invoice: Invoice) -> None:
    settings = ledger.settings
    for name, account, word in (
        ("AdministrationFee", settings.administration_fee_account, "fakturaavgift"),
        ("Freight", settings.freight_account, "frakt"),
    ):
        if invoice.header[name] and account not in ledger.accounts:
            raise _stopped(invoice, f"Förvalt konto för {word} saknas.")
