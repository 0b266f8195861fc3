"""`/3/supplierinvoices`: what the company has bought. The API only reads them; people enter them.

Amounts are text here. The list says `Cancel` where the single invoice says `Cancelled`, only the list has
`AuthorizerName`, only the single one has rows.
"""

from collections.abc import Iterable
from dataclasses import replace
from decimal import Decimal
from typing import Final

from sandbox.fortnox.endpoints import Endpoint
from sandbox.fortnox.errors import Refused
from sandbox.fortnox.ledger import Ledger, StoredFile, SupplierInvoice
from sandbox.fortnox.listing import Listing, contains, refuse_parameters
from sandbox.http import Answer, Call, Json, answer_json

TEXT_AMOUNTS: Final = (
    "AdministrationFee", "Balance", "CurrencyRate", "Freight", "RoundOffValue", "Total", "VAT",
)  # fmt: skip
DEFAULTS: Final[dict[str, Json]] = {
    "AccountingMethod": "ACCRUAL",
    "AdministrationFee": "0",
    "Balance": "0",
    "Comments": "",
    "CostCenter": "",
    "Credit": False,
    "CreditReference": 0,
    "Currency": "SEK",
    "CurrencyRate": "1",
    "CurrencyUnit": 1,
    "DisablePaymentFile": False,
    "DueDate": None,
    "ExternalInvoiceNumber": "",
    "ExternalInvoiceSeries": "",
    "FinalPayDate": None,
    "Freight": "0",
    "InvoiceDate": None,
    "InvoiceNumber": "",
    "OCR": "",
    "OurReference": "",
    "PaymentPending": False,
    "Project": "",
    "RoundOffValue": "0",
    "SalesType": "STOCK",
    "SupplierName": "",
    "SupplierNumber": "1",
    "Total": "0",
    "VAT": "0",
    "VATType": "NORMAL",
    "YourReference": "",
}
ROW_DEFAULTS: Final[dict[str, Json]] = {
    "Account": 0,
    "AccountDescription": "",
    "ArticleNumber": "",
    "Code": "",
    "CostCenter": "",
    "Credit": Decimal(0),
    "CreditCurrency": Decimal(0),
    "Debit": Decimal(0),
    "DebitCurrency": Decimal(0),
    "ItemDescription": "",
    "Price": Decimal(0),
    "Project": "",
    "Quantity": 0,
    "StockLocationCode": "",
    "StockPointCode": "",
    "Total": Decimal(0),
    "TransactionInformation": "",
    "Unit": "",
}
AMOUNTS_OF_ROW: Final = ("Credit", "CreditCurrency", "Debit", "DebitCurrency", "Price", "Total")
LIST_FIELDS: Final = (
    "Balance", "CostCenter", "Credit", "Currency", "CurrencyRate", "CurrencyUnit", "DueDate",
    "ExternalInvoiceNumber", "ExternalInvoiceSeries", "FinalPayDate", "InvoiceDate", "InvoiceNumber",
    "Project", "SupplierName", "SupplierNumber", "Total",
)  # fmt: skip
VOUCHER_SERIES: Final = "D"
REVERSE_CHARGE: Final = ("EUINTERNAL", "REVERSE")
REVERSE_RATE: Final = Decimal("0.25")
NO_RIGHT: Final = "API_NORIGHT"


def make_rows(ledger: Ledger, rows: Iterable[dict[str, Json]], vat: Decimal, vat_type: str) -> list[dict[str, Json]]:
    """Cost rows as a person enters them, completed with the payable (TOT) and the VAT rows before them.

    Reverse charge: the VAT is owed and deducted at once, and base accounts may report what it was charged on.
    """
    costs = [_row(ledger, row) for row in rows]
    net = sum((row["Debit"] - row["Credit"] for row in costs), Decimal(0))
    whole = [_sided(ledger, {"Account": 2440, "Code": "TOT"}, -(net + vat))]
    if vat:
        whole.append(_sided(ledger, {"Account": 2640, "Code": "VAT"}, vat))
    if vat_type in REVERSE_CHARGE:
        booked = [(2645, net * REVERSE_RATE), (2614, -net * REVERSE_RATE)]
        if ledger.settings.reverse_charge_bases:
            booked += [(4535, net), (4598, -net)]
        whole += [_sided(ledger, {"Account": account}, amount) for account, amount in booked]
    return whole + costs


def _sided(ledger: Ledger, row: dict[str, Json], amount: Decimal) -> dict[str, Json]:
    """The row with the amount in debit or, where it is negative, in credit."""
    return _row(ledger, row | ({"Debit": amount} if amount > 0 else {"Credit": -amount}))


def _row(ledger: Ledger, given: dict[str, Json]) -> dict[str, Json]:
    unknown = set(given) - set(ROW_DEFAULTS)
    if unknown:
        raise ValueError(f"unknown in a supplier invoice row: {', '.join(sorted(unknown))}")
    row = {**ROW_DEFAULTS, **given}
    for name in AMOUNTS_OF_ROW:
        row[name] = Decimal(row[name])
    account = ledger.accounts.get(row["Account"])
    row["AccountDescription"] = row["AccountDescription"] or (account.description if account else "")
    return row


def enter(ledger: Ledger, given: dict[str, Json], *, vat: Decimal, raw_rows: bool) -> SupplierInvoice:
    """Makes or changes a supplier invoice, as a person in Fortnox would. Raises ValueError."""
    given = dict(given)
    number = str(given.pop("GivenNumber", "") or len(ledger.supplier_invoices) + 1)
    rows = given.pop("SupplierInvoiceRows", None)
    authorizer = given.pop("AuthorizerName", None)
    unknown = set(given) - set(DEFAULTS)
    if unknown:
        raise ValueError(f"unknown in a supplier invoice: {', '.join(sorted(unknown))}")
    invoice = ledger.supplier_invoices.get(number)
    if invoice is None:
        today = ledger.clock.today()
        defaults = {**DEFAULTS, "InvoiceDate": today, "DueDate": today, "AuthorizerName": ""}
        invoice = SupplierInvoice(number, defaults, [], ledger.clock.minute())
    fields = {**invoice.fields, **given}
    if rows is not None:
        whole = [_row(ledger, row) for row in rows] if raw_rows else make_rows(ledger, rows, vat, fields["VATType"])
        total = sum((row["Credit"] - row["Debit"] for row in whole if row["Code"] == "TOT"), Decimal(0))
        fields |= {"VAT": vat, "Total": total, "Balance": total, "Credit": total < 0, **given}
        invoice.rows = whole
    for name in TEXT_AMOUNTS:
        fields[name] = str(fields[name])
    if authorizer is not None:
        fields["AuthorizerName"] = authorizer
    invoice.fields = fields
    invoice.modified = ledger.clock.minute()
    known = number in ledger.supplier_invoices
    ledger.supplier_invoices[number] = invoice
    ledger.tell("supplier-invoice-updated" if known else "supplier-invoice-created", number)
    return invoice


def approve(ledger: Ledger, invoice: SupplierInvoice) -> None:
    invoice.approved = True
    if ledger.settings.attest_changes_lastmodified:  # whether Fortnox does so is not known
        invoice.modified = ledger.clock.minute()
        ledger.tell("supplier-invoice-updated", invoice.number)


def book(ledger: Ledger, invoice: SupplierInvoice) -> None:
    year = ledger.years[-1]
    for candidate in ledger.years:
        if candidate.first.isoformat() <= invoice.fields["InvoiceDate"] <= candidate.last.isoformat():
            year = candidate
    invoice.booked = True
    invoice.voucher = invoice.voucher or ledger.next_voucher(VOUCHER_SERIES, year)
    invoice.modified = ledger.clock.minute()
    ledger.tell("supplier-invoice-bookkeep", invoice.number)


def cancel(ledger: Ledger, invoice: SupplierInvoice) -> None:
    invoice.cancelled = True
    invoice.modified = ledger.clock.minute()
    ledger.tell("supplier-invoice-cancelled", invoice.number)


def _shown_row(ledger: Ledger, row: dict[str, Json]) -> dict[str, Json]:
    if not (row["ArticleNumber"] and ledger.settings.article_rows_without_debit):
        return row
    foreign = row["DebitCurrency"] - row["CreditCurrency"]
    nothing = dict.fromkeys(("Credit", "CreditCurrency", "Debit", "DebitCurrency"), Decimal(0))
    return row | nothing | {"Total": foreign or row["Debit"] - row["Credit"]}


def _hidden(ledger: Ledger, document: Json) -> Json:
    """The document without the fields that the user has no right to read."""
    hidden = ledger.settings.hidden_fields
    return {name: NO_RIGHT if name in hidden else value for name, value in document.items()} if hidden else document


def shown(ledger: Ledger, invoice: SupplierInvoice) -> Json:
    return {
        "@url": f"https://api.fortnox.se/3/supplierinvoices/{invoice.number}",
        **{name: value for name, value in invoice.fields.items() if name != "AuthorizerName"},
        "Booked": invoice.booked,
        "Cancelled": invoice.cancelled,
        "GivenNumber": invoice.number,
        "SupplierInvoiceRows": [_shown_row(ledger, row) for row in invoice.rows],
        "Vouchers": _vouchers(invoice),
        "VoucherNumber": None,
        "VoucherSeries": None,
        "VoucherYear": None,
    }


def _vouchers(invoice: SupplierInvoice) -> Json:
    if invoice.voucher is None:
        return []
    series, number, year = invoice.voucher
    return [{"Number": number, "ReferenceType": "SUPPLIERINVOICE", "Series": series, "Year": year}]


def _list_item(ledger: Ledger, invoice: SupplierInvoice) -> Json:
    item = {
        "@url": f"https://api.fortnox.se/3/supplierinvoices/{invoice.number}",
        "AuthorizerName": invoice.fields.get("AuthorizerName", ""),
        "Booked": invoice.booked,
        "Cancel": invoice.cancelled,
        "GivenNumber": invoice.number,
        "Vouchers": _vouchers(invoice),
        **{name: invoice.fields[name] for name in LIST_FIELDS},
    }
    return _hidden(ledger, item)


LIST: Final = Listing[SupplierInvoice](
    wrapper="SupplierInvoices",
    item=_list_item,
    modified=lambda invoice: invoice.modified,
    order=lambda invoice: int(invoice.number),
    matches={
        "costcenter": lambda invoice, value: contains(invoice.fields["CostCenter"], value),
        "ocr": lambda invoice, value: contains(invoice.fields["OCR"], value),
        "project": lambda invoice, value: contains(invoice.fields["Project"], value),
        "suppliernumber": lambda invoice, value: contains(invoice.fields["SupplierNumber"], value),
    },
    filters={
        "cancelled": lambda _ledger, invoice: invoice.cancelled,
        "fullypaid": lambda _ledger, invoice: bool(invoice.fields["FinalPayDate"]),
        "unpaid": lambda _ledger, invoice: invoice.booked and not invoice.fields["FinalPayDate"],
        "unpaidoverdue": lambda ledger, invoice: (
            invoice.booked and not invoice.fields["FinalPayDate"] and invoice.fields["DueDate"] < ledger.clock.today()
        ),
        "unbooked": lambda _ledger, invoice: not invoice.booked and not invoice.cancelled,
        "pendingpayment": lambda _ledger, invoice: bool(invoice.fields["PaymentPending"]),
        "authorizepending": lambda _ledger, invoice: not invoice.approved and not invoice.cancelled,
    },
    sortable={
        "givennumber": lambda invoice: int(invoice.number),
        "invoicedate": lambda invoice: invoice.fields["InvoiceDate"],
        "suppliername": lambda invoice: invoice.fields["SupplierName"],
        "suppliernumber": lambda invoice: invoice.fields["SupplierNumber"],
    },
)


BY_CHANGE: Final = replace(LIST, order=lambda invoice: (invoice.modified, int(invoice.number)))


def listed(ledger: Ledger, call: Call) -> Answer:
    listing = BY_CHANGE if ledger.settings.supplier_invoices_by_change else LIST
    return listing.answer(ledger, call, list(ledger.supplier_invoices.values()))


def read(ledger: Ledger, call: Call) -> Answer:
    refuse_parameters(call)
    invoice = ledger.supplier_invoices.get(call.params["GivenNumber"])
    if invoice is None:
        raise Refused(2000729, "Kan inte hitta leverantörsfakturan.", 404)
    document = shown(ledger, invoice)
    document["SupplierInvoiceRows"] = [_hidden(ledger, row) for row in document["SupplierInvoiceRows"]]
    return answer_json({"SupplierInvoice": _hidden(ledger, document)})


Connection = tuple[SupplierInvoice, StoredFile]


def _connection_item(_ledger: Ledger, connection: Connection) -> Json:
    invoice, file = connection
    return {
        "@url": f"https://api.fortnox.se/3/supplierinvoicefileconnections/{file.id}",
        "FileId": file.id,
        "Name": file.name,
        "SupplierInvoiceNumber": invoice.number,
        "SupplierName": invoice.fields["SupplierName"],
    }


CONNECTIONS: Final = Listing[Connection](
    wrapper="SupplierInvoiceFileConnections",
    item=_connection_item,
    modified=None,
    order=lambda connection: int(connection[0].number),
    matches={"supplierinvoicenumber": lambda connection, value: connection[0].number == value},
)


def connections(ledger: Ledger, call: Call) -> Answer:
    pairs = [(invoice, file) for invoice in ledger.supplier_invoices.values() for file in invoice.files]
    return CONNECTIONS.answer(ledger, call, pairs)


ENDPOINTS: Final = (
    Endpoint("GET", "/3/supplierinvoices", listed, "supplierinvoice"),
    Endpoint("GET", "/3/supplierinvoices/{GivenNumber}", read, "supplierinvoice"),
    Endpoint("GET", "/3/supplierinvoicefileconnections", connections, "connectfile"),
)
