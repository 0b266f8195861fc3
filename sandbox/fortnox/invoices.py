"""`/3/invoices` and its actions. Arithmetic: `money.py`; the rules of posting: `bookkeeping.py`."""

from datetime import date, timedelta
from decimal import Decimal
from typing import Final

from sandbox.fortnox import bookkeeping, errors, fields, invoice_payments, invoice_rows, money
from sandbox.fortnox.countries import display_name
from sandbox.fortnox.endpoints import Endpoint
from sandbox.fortnox.errors import Refused
from sandbox.fortnox.invoice_rows import RowDefaults, plain
from sandbox.fortnox.ledger import Invoice, Ledger, Record
from sandbox.fortnox.listing import Listing, contains, refuse_parameters
from sandbox.fortnox.validation import BLANK, check, envelope
from sandbox.http import Answer, Call, Json, answer_json

TOLD: Final = ("bookkeep", "cancel")  # writes that the feed has an event of its own for
DATES: Final = ("DeliveryDate", "DueDate", "InvoiceDate", "OutboundDate")


def create(ledger: Ledger, call: Call) -> Answer:
    given = _with_blanks(ledger, envelope(call.body, "Invoice"))
    customer = _customer(ledger, given)
    _check_references(ledger, given)
    header = _completed(ledger, customer, given)
    rows = invoice_rows.stored(ledger, given.get("InvoiceRows", []), _row_defaults(ledger, customer))
    if ledger.settings.text_row:
        rows.insert(0, invoice_rows.text_row(ledger, ledger.settings.text_row))
    original = _credited(ledger, given)
    number = _document_number(ledger, given)
    if not header["OCR"] and ledger.settings.ocr_generated:
        header["OCR"] = money.ocr_for(number)
    invoice = Invoice(number, header, rows, _sums(ledger, header, rows), ledger.clock.minute())
    if original is not None:
        invoice.invoice_reference = original.number
        original.credit_reference = number
    invoice.writes["POST"] += 1
    ledger.invoices[number] = invoice
    ledger.counters["invoices.created"] += 1
    ledger.tell("invoice-created", number)
    return answer_json({"Invoice": shown(ledger, invoice)}, 201)


def update(ledger: Ledger, call: Call) -> Answer:
    invoice = _find(ledger, call)
    given = check(envelope(call.body, "Invoice"), fields.INVOICE)
    if invoice.booked or invoice.cancelled:
        raise Refused(errors.DOCUMENT_LOCKED, "Fakturan är bokförd eller makulerad och kan inte ändras.")
    if given.get("DocumentNumber", invoice.number) != invoice.number:
        raise Refused(errors.NUMBER_FIXED, "Fakturanummer kan inte ändras.")
    customer = _customer(ledger, {"CustomerNumber": invoice.header["CustomerNumber"], **given})
    _check_references(ledger, given, invoice)
    rows = invoice.rows
    if "InvoiceRows" in given:
        rows = invoice_rows.merged(ledger, rows, given.pop("InvoiceRows"), _row_defaults(ledger, customer))
    header = {**invoice.header, **given}
    if header["Currency"] == "SEK":
        header["CurrencyRate"] = Decimal(1)
    invoice.sums = _sums(ledger, header, rows)
    invoice.header, invoice.rows = header, rows
    return _written(ledger, invoice, "PUT")


def read(ledger: Ledger, call: Call) -> Answer:
    refuse_parameters(call)
    return answer_json({"Invoice": shown(ledger, _find(ledger, call))})


def bookkeep(ledger: Ledger, call: Call) -> Answer:
    invoice = _find(ledger, call)
    if invoice.booked:
        ledger.counters["invoices.bookkeep_repeated"] += 1
    bookkeeping.refuse_if_stopped(ledger, invoice)
    zero_ignored = ledger.settings.zero_posting == "ignored" and invoice.sums.total == 0
    if ledger.settings.posting_ignored or zero_ignored:
        return answer_json({"Invoice": shown(ledger, invoice)})
    post(ledger, invoice)
    return _written(ledger, invoice, "bookkeep")


def post(ledger: Ledger, invoice: Invoice) -> None:
    year, series = (
        ledger.year_of(date.fromisoformat(invoice.header["InvoiceDate"])),
        ledger.settings.invoice_voucher_series,
    )
    if year is None or series is None:
        raise errors.invalid_parameter()
    invoice.booked = True
    invoice.voucher = ledger.next_voucher(series, year)
    ledger.counters["invoices.booked"] += 1
    if (original := ledger.invoices.get(invoice.invoice_reference)) and ledger.settings.credit_notes_settle:
        original.modified = ledger.clock.minute()
        ledger.tell("invoice-updated", original.number)
    ledger.tell("invoice-bookkeep", invoice.number)


def book(ledger: Ledger, invoice: Invoice) -> None:
    """Post the invoice as a person would. The same rules apply."""
    bookkeeping.refuse_if_stopped(ledger, invoice)
    post(ledger, invoice)


def complete(ledger: Ledger, invoice: Invoice) -> None:
    """Complete the invoice ("klarmarkera") as a person would."""
    invoice.warehouse_ready = True
    invoice.header["NotCompleted"] = False
    ledger.tell("invoice-updated", invoice.number)


def cancel(ledger: Ledger, call: Call) -> Answer:
    invoice = _find(ledger, call)
    make_void(ledger, invoice)
    return _written(ledger, invoice, "cancel")


def make_void(ledger: Ledger, invoice: Invoice) -> None:
    if invoice.booked:
        raise Refused(errors.DOCUMENT_LOCKED, "En bokförd faktura kan inte makuleras.")
    if invoice.cancelled:
        raise Refused(errors.DOCUMENT_LOCKED, "Fakturan är redan makulerad.")
    invoice.cancelled = True
    ledger.counters["invoices.cancelled"] += 1
    ledger.tell("invoice-cancelled", invoice.number)


def credit(ledger: Ledger, call: Call) -> Answer:
    """Create a credit note of an invoice. The answer is the original, with the credit note's number."""
    original = _find(ledger, call)
    if not original.booked:
        raise Refused(errors.NOT_BOOKED, "Fakturan måste vara bokförd för att kunna krediteras.")
    number = _document_number(ledger, {})
    today = ledger.clock.today()
    header = {
        **original.header,
        "InvoiceDate": today,
        "OutboundDate": today,
        "DueDate": _due(today, original.header["TermsOfPayment"]),
        "OCR": money.ocr_for(number) if ledger.settings.ocr_generated else "",
        "AdministrationFee": -original.header["AdministrationFee"],
        "Freight": -original.header["Freight"],
    }
    rows = [
        {**row, "DeliveredQuantity": -row["DeliveredQuantity"], "RowId": ledger.next_serial()} for row in original.rows
    ]
    note = Invoice(number, header, rows, _sums(ledger, header, rows), ledger.clock.minute())
    note.invoice_reference = original.number
    original.credit_reference = number
    ledger.invoices[number] = note
    ledger.counters["invoices.credited"] += 1
    ledger.tell("invoice-created", number)
    return _written(ledger, original, "credit")


def external_print(ledger: Ledger, call: Call) -> Answer:
    invoice = _find(ledger, call)
    invoice.sent = True
    return _written(ledger, invoice, "externalprint")


def warehouse_ready(ledger: Ledger, call: Call) -> Answer:
    invoice = _find(ledger, call)
    if not ledger.settings.warehouse_module:
        raise Refused(2003275, "Lagermodulen är inte aktiv.")
    invoice.warehouse_ready = True
    return _written(ledger, invoice, "warehouseready")


def _written(ledger: Ledger, invoice: Invoice, how: str) -> Answer:
    invoice.modified = ledger.clock.minute()
    invoice.writes[how] += 1
    if how not in TOLD:
        ledger.tell("invoice-updated", invoice.number)
    return answer_json({"Invoice": shown(ledger, invoice)})


def _find(ledger: Ledger, call: Call) -> Invoice:
    invoice = ledger.invoices.get(call.params["DocumentNumber"])
    if invoice is None:
        raise errors.invoice_not_found()
    return invoice


def _customer(ledger: Ledger, given: dict[str, Json]) -> Record:
    # 2000204 is also what integrators report when the customer number is missing.
    customer = ledger.customers.get(given.get("CustomerNumber", ""))
    if customer is None:
        raise Refused(2000204, "Kunde inte hitta kund (kundnummer)")
    return customer


def _row_defaults(ledger: Ledger, customer: Record) -> RowDefaults:
    """What the customer's card and the company's settings give a row that does not name it."""
    return RowDefaults(
        account=int(customer.fields["SalesAccount"] or ledger.settings.default_sales_account),
        discount=Decimal(customer.fields["InvoiceDiscount"] or 0),
    )


def _with_blanks(ledger: Ledger, payload: dict[str, Json]) -> dict[str, Json]:
    """The checked payload of a new invoice. What `API_BLANK` does in a POST is not published: a setting."""
    how = ledger.settings.blank_on_create
    if how == "refused" and any(BLANK in one.values() for one in _objects(payload)):
        raise Refused(errors.BLANK_REFUSED, "Värdet tolkas som null")
    blank = {place: [name for name in one if one[name] == BLANK] for place, one in enumerate(_objects(payload))}
    given = check(payload, fields.INVOICE)
    for place, one in enumerate(_objects(given)):
        for name in blank[place]:
            if how == "ignored":
                one.pop(name, None)
            elif how == "literal":
                one[name] = BLANK
    return given


def _objects(payload: dict[str, Json]) -> list[dict[str, Json]]:
    rows = payload.get("InvoiceRows")
    return [payload, *(row for row in (rows if isinstance(rows, list) else []) if isinstance(row, dict))]


def _check_references(ledger: Ledger, given: dict[str, Json], invoice: Invoice | None = None) -> None:
    if given.get("Project") and given["Project"] not in ledger.projects:
        raise errors.project_not_found(400)
    if given.get("Currency") and given["Currency"] not in ledger.currencies:
        raise Refused(2000427, "Kan inte hitta valutan.")
    if given.get("TermsOfPayment") and given["TermsOfPayment"] not in ledger.terms_of_payment:
        raise Refused(2000429, "Kan inte hitta betalningsvillkoret.")
    if given.get("CostCenter") and given["CostCenter"] not in ledger.cost_centers:
        raise Refused(errors.COST_CENTER_UNKNOWN, "Kunde inte hitta kostnadsställe")
    if given.get("OCR"):
        _check_ocr(ledger, given["OCR"], invoice)


def _check_ocr(ledger: Ledger, ocr: str, invoice: Invoice | None) -> None:
    # Whether Fortnox checks these depends on the company's OCR setting; recorded companies had two
    # invoices with one OCR number, others report "OCR-numret används redan".
    if ledger.settings.ocr_refused and invoice is None:
        raise Refused(errors.OCR_REFUSED, ledger.settings.ocr_refused)
    if not ocr.isdecimal():
        raise errors.not_numeric("OCR")
    if ledger.settings.ocr_must_be_valid and not money.has_valid_check_digit(ocr):
        raise Refused(errors.INVALID_OCR, "OCR-numret är ogiltigt.")
    if ledger.settings.ocr_must_be_unique and any(
        other.header["OCR"] == ocr for other in ledger.invoices.values() if other is not invoice
    ):
        raise Refused(errors.DUPLICATE_OCR, "OCR-numret används redan")


def _document_number(ledger: Ledger, given: dict[str, Json]) -> str:
    """The number asked for, or the next of the series, which explicit numbers do not advance."""
    asked = given.get("DocumentNumber") if ledger.settings.document_number_on_create == "honoured" else None
    number = asked or str(ledger.settings.next_document_number)
    if not number.isdecimal() or len(number) > 18:
        raise errors.not_numeric("DocumentNumber")
    if number in ledger.invoices:
        ledger.counters["invoices.duplicates_refused"] += 1
        raise Refused(ledger.settings.duplicate_document_code, f"Fakturanummer {number} används redan.")
    if not asked:
        ledger.settings.next_document_number += 1
    return number


def _credited(ledger: Ledger, given: dict[str, Json]) -> Invoice | None:
    reference = given.get("CreditInvoiceReference", "0")
    if ledger.settings.credit_reference_on_create == "refused" and "CreditInvoiceReference" in given:
        raise errors.unknown_field("CreditInvoiceReference")
    if reference in ("", "0") or ledger.settings.credit_reference_on_create == "ignored":
        return None
    original = ledger.invoices.get(reference)
    if original is None:
        raise Refused(2000434, "Kan inte hitta fakturan.")
    if ledger.settings.credit_refused:
        raise Refused(errors.CREDIT_REFUSED, ledger.settings.credit_refused)
    if ledger.settings.credit_reference_on_create == "once" and original.credit_reference != "0":
        raise Refused(errors.DOCUMENT_LOCKED, f"Faktura {original.number} är redan krediterad.")
    return original


def _due(invoice_date: str, terms: str) -> str:
    days = int(terms) if terms.isdecimal() else 0
    return (date.fromisoformat(invoice_date) + timedelta(days=days)).isoformat()


def _completed(ledger: Ledger, customer: Record, given: dict[str, Json]) -> dict[str, Json]:
    """The header: what was given, else what the customer or the company has predefined."""
    settings, of_customer = ledger.settings, customer.fields
    invoice_date = given.get("InvoiceDate") or ledger.clock.today()
    terms = given.get("TermsOfPayment") or of_customer["TermsOfPayment"] or settings.default_terms_of_payment
    currency = given.get("Currency") or of_customer["Currency"] or "SEK"
    header: dict[str, Json] = {name: "" for name, field in fields.INVOICE.items() if field.kind == "text"}
    for name in ("Address1", "Address2", "City", "ZipCode", "Phone1", "Phone2", "OurReference",
                 "YourReference", "PriceList", "TermsOfDelivery", "WayOfDelivery", "Project", "CostCenter",
                 "DeliveryAddress1", "DeliveryAddress2", "DeliveryCity", "DeliveryName",
                 "DeliveryZipCode"):  # fmt: skip
        header[name] = of_customer[name]
    header |= {
        "Remarks": of_customer["InvoiceRemark"],
        "CustomerName": of_customer["Name"],
        "Country": display_name(of_customer["CountryCode"]) if of_customer["CountryCode"] != "SE" else "",
        "AdministrationFee": Decimal(of_customer["InvoiceAdministrationFee"] or settings.administration_fee),
        "Freight": Decimal(of_customer["InvoiceFreight"] or settings.freight),
        "EUQuarterlyReport": False,
        "NotCompleted": False,
        "VATIncluded": of_customer["ShowPriceVATIncluded"],
        "InvoiceType": "INVOICE",
        "Language": "SV",
        "TaxReductionType": "none",
        "PrintTemplate": "st",
        "EDIInformation": {},
        "EmailInformation": {},
        "Labels": [],
        "DeliveryDate": "",
        "CurrencyRate": Decimal(1),  # never the register's rate: left out means 1
        "CurrencyUnit": ledger.currencies[currency].unit,
        **given,
        "Currency": currency,
        "TermsOfPayment": terms,
        "InvoiceDate": invoice_date,
        "OutboundDate": given.get("OutboundDate") or invoice_date,
        "DueDate": given.get("DueDate") or _due(invoice_date, terms),
    }
    if currency == "SEK":
        header["CurrencyRate"] = Decimal(1)
    if settings.currency_unit_on_create == "ignored":
        header["CurrencyUnit"] = ledger.currencies[currency].unit
    for name in ("InvoiceRows", "CreditInvoiceReference", "DocumentNumber"):
        header.pop(name, None)
    return header


def _sums(ledger: Ledger, header: dict[str, Json], rows: list[dict[str, Json]]) -> money.Sums:
    settings = ledger.settings
    terms = money.Terms(
        vat_included=header["VATIncluded"],
        administration_fee=header["AdministrationFee"],
        freight=header["Freight"],
        fee_vat=settings.fee_vat,
        vat_rounding=settings.vat_rounding,
        whole_kronor=settings.round_to_whole_kronor and header["Currency"] == "SEK",
    )
    return money.compute([invoice_rows.priced(row) for row in rows], terms)


def shown(ledger: Ledger, invoice: Invoice) -> Json:
    """The invoice as GET shows it."""
    header, sums = invoice.header, invoice.sums
    series, voucher, year = invoice.voucher or (None, None, None)
    is_credit = sums.total < 0 or invoice.invoice_reference != "0"
    return {
        "@url": f"https://api.fortnox.se/3/invoices/{invoice.number}",
        **header,
        **{name: header[name] or None for name in DATES},
        "AccountingMethod": ledger.settings.accounting_method,
        "AdministrationFeeVAT": sums.administration_fee_vat,
        "Balance": invoice_payments.balance(ledger, invoice),
        "BasisTaxReduction": 0,
        "Booked": invoice.booked,
        "Cancelled": invoice.cancelled,
        "ContractReference": "0",
        "Credit": "true" if is_credit else "false",
        "CreditInvoiceReference": invoice.credit_reference,
        "DocumentNumber": invoice.number,
        "FinalPayDate": invoice_payments.paid_on(ledger, invoice),
        "FreightVAT": sums.freight_vat,
        "Gross": sums.gross,
        "HouseWork": any(row["HouseWork"] for row in invoice.rows),
        "InvoiceReference": invoice.invoice_reference,
        "InvoiceRows": [
            invoice_rows.shown(row, total, net, header["VATIncluded"])
            for row, total, net in zip(invoice.rows, sums.row_totals, sums.row_totals_excluding_vat, strict=True)
        ],
        "LastRemindDate": None,
        "Net": sums.net,
        "NoxFinans": False,
        "OfferReference": "0",
        "OrderReference": "0",
        "OrganisationNumber": _organisation_number(ledger, header),
        "Reminders": 0,
        "RoundOff": sums.round_off,
        "Sent": invoice.sent,
        "TaxReduction": None,
        "Total": sums.total,
        "TotalToPay": sums.total,
        "TotalVAT": sums.total_vat,
        "VoucherNumber": voucher,
        "VoucherSeries": series,
        "VoucherYear": year,
        "WarehouseReady": invoice.warehouse_ready,
    }


def _organisation_number(ledger: Ledger, header: dict[str, Json]) -> str:
    customer = ledger.customers.get(header["CustomerNumber"])
    return customer.fields["OrganisationNumber"] if customer else ""


def _list_item(ledger: Ledger, invoice: Invoice) -> Json:
    whole = shown(ledger, invoice)
    names = ("@url", "Balance", "Booked", "Cancelled", "CostCenter", "Currency", "CurrencyUnit",
             "CustomerName", "CustomerNumber", "DocumentNumber", "DueDate", "ExternalInvoiceReference1",
             "ExternalInvoiceReference2", "FinalPayDate", "InvoiceDate", "InvoiceType", "NoxFinans", "OCR",
             "Project", "Sent", "TermsOfPayment", "Total", "VoucherNumber", "VoucherSeries", "VoucherYear",
             "WayOfDelivery")  # fmt: skip
    # Recorded lists give the rate as text, single invoices as a number.
    return {**{name: whole[name] for name in names}, "CurrencyRate": plain(Decimal(whole["CurrencyRate"]))}


def _text_of(name: str, invoice: Invoice, value: str) -> bool:
    return contains(invoice.header[name], value)


def _is_unpaid(ledger: Ledger, invoice: Invoice) -> bool:
    return invoice.booked and invoice_payments.paid_on(ledger, invoice) is None


LIST: Final = Listing[Invoice](
    wrapper="Invoices",
    item=_list_item,
    modified=lambda invoice: invoice.modified,
    order=lambda invoice: int(invoice.number),
    matches={
        "documentnumber": lambda invoice, value: contains(invoice.number, value),
        "customername": lambda invoice, value: _text_of("CustomerName", invoice, value),
        "customernumber": lambda invoice, value: _text_of("CustomerNumber", invoice, value),
        "externalinvoicereference1": lambda i, value: _text_of("ExternalInvoiceReference1", i, value),
        "externalinvoicereference2": lambda i, value: _text_of("ExternalInvoiceReference2", i, value),
        "ocr": lambda invoice, value: _text_of("OCR", invoice, value),
        "ourreference": lambda invoice, value: _text_of("OurReference", invoice, value),
        "yourreference": lambda invoice, value: _text_of("YourReference", invoice, value),
        "yourordernumber": lambda invoice, value: _text_of("YourOrderNumber", invoice, value),
        "project": lambda invoice, value: _text_of("Project", invoice, value),
        "costcenter": lambda invoice, value: _text_of("CostCenter", invoice, value),
        "currency": lambda invoice, value: _text_of("Currency", invoice, value),
        "invoicetype": lambda invoice, value: _text_of("InvoiceType", invoice, value),
        "fromdate": lambda invoice, value: invoice.header["InvoiceDate"] >= value,
        "todate": lambda invoice, value: invoice.header["InvoiceDate"] <= value,
        "sent": lambda invoice, value: invoice.sent == (value == "true"),
        "notcompleted": lambda invoice, value: invoice.header["NotCompleted"] == (value == "true"),
        "credit": lambda i, value: (i.sums.total < 0 or i.invoice_reference != "0") == (value == "true"),
    },
    filters={
        "cancelled": lambda _ledger, invoice: invoice.cancelled,
        "fullypaid": lambda ledger, invoice: invoice_payments.paid_on(ledger, invoice) is not None,
        "unpaid": lambda ledger, invoice: _is_unpaid(ledger, invoice),
        "unpaidoverdue": lambda ledger, i: _is_unpaid(ledger, i) and i.header["DueDate"] < ledger.clock.today(),
        "unbooked": lambda _ledger, invoice: not invoice.booked and not invoice.cancelled,
    },
    sortable={
        "customername": lambda invoice: invoice.header["CustomerName"],
        "customernumber": lambda invoice: invoice.header["CustomerNumber"],
        "documentnumber": lambda invoice: int(invoice.number),
        "invoicedate": lambda invoice: invoice.header["InvoiceDate"],
        "ocr": lambda invoice: invoice.header["OCR"],
        "total": lambda invoice: invoice.sums.total,
    },
)


def listed(ledger: Ledger, call: Call) -> Answer:
    return LIST.answer(ledger, call, list(ledger.invoices.values()))


ONE: Final = "/3/invoices/{DocumentNumber}"

ENDPOINTS: Final = (
    Endpoint("GET", "/3/invoices", listed, "invoice"),
    Endpoint("POST", "/3/invoices", create, "invoice"),
    Endpoint("GET", ONE, read, "invoice"),
    Endpoint("PUT", ONE, update, "invoice"),
    Endpoint("PUT", f"{ONE}/bookkeep", bookkeep, "invoice", is_action=True),
    Endpoint("PUT", f"{ONE}/cancel", cancel, "invoice", is_action=True),
    Endpoint("PUT", f"{ONE}/credit", credit, "invoice", is_action=True),
    Endpoint("PUT", f"{ONE}/externalprint", external_print, "invoice", is_action=True),
    Endpoint("PUT", f"{ONE}/warehouseready", warehouse_ready, "invoice", is_action=True),
)
