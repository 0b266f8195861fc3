"""Whether an invoice in Fortnox is what Moment billed: by its answer, figure by figure."""

from decimal import Decimal
from typing import Any

import pytest

from fortnox.models import FortnoxInvoice
from fortnox.payloads import InvoicePayload
from mappers import compare, expected_total, to_invoice
from messages.catalogue import lines, say
from tests.unit.factories import a_credit_note, a_line, an_invoice

LINES = [a_line(), a_line(account_number="3050", vat_percentage="6", amount_excluding_vat="199.00")]


def billed(**overrides: Any) -> InvoicePayload:
    given = {"lines": LINES, "total_including_vat": "12710.94"} | overrides
    return to_invoice(an_invoice(**given).invoice).payload


def answered(sent: InvoicePayload, rows: list[dict[str, Any]] | None = None, **changed: Any) -> FortnoxInvoice:
    """Fortnox's answer to it, with its own names."""
    sums = expected_total(sent)
    made = [
        {
            "AccountNumber": row.account_number,
            "VAT": row.vat,
            "Total": row.price * Decimal(row.delivered_quantity),
            "TotalExcludingVAT": row.price * Decimal(row.delivered_quantity),
        }
        for row in sent.invoice_rows
    ]
    whole = {
        "DocumentNumber": str(sent.document_number),
        "CustomerNumber": sent.customer_number,
        "Currency": sent.currency,
        "CurrencyRate": sent.currency_rate or 1,
        "CurrencyUnit": sent.currency_unit or 1,
        "Total": sums.total,
        "TotalVAT": sums.vat,
        "RoundOff": 0,
        "Freight": 0,
        "AdministrationFee": 0,
        "InvoiceRows": made if rows is None else rows,
    }
    return FortnoxInvoice.model_validate(whole | changed)


def test_what_came_back_as_it_was_sent_is_equal() -> None:
    assert compare(answered(billed()), billed()).equal
    note = to_invoice(a_credit_note().invoice).payload
    assert compare(answered(note), note).equal


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"CustomerNumber": "10002"}, "Customer: 10002 in Fortnox, 10001 in Moment"),
        ({"Total": Decimal("12711.44")}, "Total: 12,711.44 SEK in Fortnox, 12,710.94 SEK in Moment"),
        ({"TotalVAT": Decimal("2511.95")}, "VAT: 2,511.95 SEK in Fortnox, 2,511.94 SEK in Moment"),
        ({"Freight": Decimal(50)}, "Freight: 50.00 SEK in Fortnox, 0.00 SEK in Moment"),
        ({"AdministrationFee": Decimal(29)}, "Administration fee: 29.00 SEK in Fortnox, 0.00 SEK in Moment"),
        ({"Currency": "EUR"}, "Currency: EUR in Fortnox, SEK in Moment"),
        # as far as a whole krona apart is a rounding, and no more
        ({"Total": Decimal("12712.94"), "RoundOff": Decimal(2)}, "Total: 12,712.94 SEK in Fortnox"),
    ],
)
def test_each_figure_that_differs_is_told_with_both(changed: dict[str, Any], told: str) -> None:
    comparison = compare(answered(billed(), **changed), billed())
    assert not comparison.equal
    assert told in say(comparison.message)


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"CurrencyUnit": 100}, "Currency rate: 0.000691 in Fortnox, 0.0691 in Moment"),
        ({"CurrencyRate": 1}, "Currency rate: 1 in Fortnox, 0.0691 in Moment"),
        ({"CurrencyRate": None}, "Currency rate: nothing in Fortnox, 0.0691 in Moment"),
        ({"CurrencyUnit": None}, "Currency rate: nothing in Fortnox, 0.0691 in Moment"),
        ({"CurrencyUnit": 0}, "Currency rate: nothing in Fortnox, 0.0691 in Moment"),
        ({"Currency": None}, "Currency: nothing in Fortnox, JPY in Moment"),
    ],
)
def test_a_foreign_amount_is_worth_in_kronor_what_moment_said(changed: dict[str, Any], told: str) -> None:
    sent = billed(currency_code="JPY", currency_rate="0.0691")
    assert compare(answered(sent), sent).equal
    assert compare(answered(sent, CurrencyRate=Decimal("6.91"), CurrencyUnit=100), sent).equal
    comparison = compare(answered(sent, **changed), sent)
    assert told in lines(comparison.message)
    assert not comparison.equal


def test_rounding_to_whole_kronor_is_no_difference() -> None:
    rounded = answered(billed(), Total=Decimal(12711), RoundOff=Decimal("0.06"))
    assert compare(rounded, billed()).equal


def test_what_is_booked_is_told_beside_each_other_and_what_is_missing_as_nothing() -> None:
    rows = [{"AccountNumber": 3011, "VAT": 25, "TotalExcludingVAT": "10000"}]
    assert lines(compare(answered(billed(), rows), billed()).message) == [
        "Account 3010 with 25 % VAT on project 1: nothing in Fortnox, 10,000.00 SEK in Moment",
        "Account 3050 with 6 % VAT on project 1: nothing in Fortnox, 199.00 SEK in Moment",
        "Account 3011 with 25 % VAT on project 1: 10,000.00 SEK in Fortnox, nothing in Moment",
    ]


def test_of_a_long_invoice_only_the_rows_that_differ_are_told() -> None:
    many = [a_line(account_number=str(3000 + n), amount_excluding_vat="1.00", vat_percentage="0") for n in range(60)]
    sent = billed(lines=many, total_including_vat="60.00")
    rows = [{"AccountNumber": 3000 + n, "VAT": 0, "TotalExcludingVAT": 2 if n in (7, 40) else 1} for n in range(60)]
    told = lines(compare(answered(sent, rows), sent).message)
    assert [line[:12] for line in told] == ["Account 3007", "Account 3040"]
    all_rows = [row | {"TotalExcludingVAT": 2} for row in rows]
    assert lines(compare(answered(sent, all_rows), sent).message)[20:] == ["and 40 more rows"]


@pytest.mark.parametrize(("rate", "equal"), [("11.4200", True), ("11.4205", True), ("1", False), ("11.52", False)])
def test_a_foreign_currencys_rate_is_compared_as_far_as_fortnox_may_have_rounded_it(rate: str, equal: bool) -> None:
    sent = billed(currency_code="EUR", currency_rate="11.42")
    assert compare(answered(sent, CurrencyRate=Decimal(rate)), sent).equal is equal


TEXT = {"Description": "Tack!", "DeliveredQuantity": "0", "Total": 0, "TotalExcludingVAT": 0}
WORK = {"AccountNumber": 3010, "VAT": 25, "TotalExcludingVAT": 10000}
BOOK = {"AccountNumber": 3050, "VAT": 6, "TotalExcludingVAT": 199}


@pytest.mark.parametrize(
    "rows",
    [
        [TEXT, WORK, BOOK],
        [WORK, TEXT | {"AccountNumber": 3001, "VAT": 25}, BOOK, TEXT],
        [BOOK, WORK],
        [WORK | {"TotalExcludingVAT": 6000}, BOOK, WORK | {"TotalExcludingVAT": 4000}],
        [WORK | {"VAT": "25.00", "Project": "1"}, BOOK | {"Project": ""}],
    ],
)
def test_rows_are_compared_by_what_they_book_not_by_where_they_stand(rows: list[dict[str, Any]]) -> None:
    comparison = compare(answered(billed(), rows), billed())
    assert comparison.equal
    assert comparison.aside == ()


@pytest.mark.parametrize(
    "row",
    [
        WORK | {"Project": "2"},
        WORK | {"VAT": 12},
        WORK | {"AccountNumber": 3011},
        WORK | {"TotalExcludingVAT": "10000.01"},
        WORK | {"AccountNumber": None},
    ],
)
def test_an_account_a_rate_a_project_or_an_amount_that_differs_stops_the_posting(row: dict[str, Any]) -> None:
    assert not compare(answered(billed(), [row, BOOK]), billed()).equal


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"InvoiceDate": "2026-12-01"}, "Invoice date: 1 Dec 2026 in Fortnox, 20 Nov 2026 in Moment"),
        ({"Project": "2"}, "Project: 2 in Fortnox, 1 in Moment"),
        ({"Project": ""}, "Project: nothing in Fortnox, 1 in Moment"),
    ],
)
def test_a_date_or_project_that_differs_stops_the_posting(changed: dict[str, Any], told: str) -> None:
    comparison = compare(answered(billed(), **changed), billed())
    assert not comparison.equal
    assert told in lines(comparison.message)


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"DueDate": "2027-03-01"}, "Due date: 1 Mar 2027 in Fortnox, 20 Dec 2026 in Moment"),
        ({"CostCenter": "MA"}, "Cost centre: MA in Fortnox, nothing in Moment"),
        ({"InvoiceRows": [WORK | {"CostCenter": "KI"}, BOOK]}, "Cost centre: KI in Fortnox, nothing in Moment"),
        ({"OCR": "100165"}, "Payment id (OCR): 100165 in Fortnox, 10017 in Moment"),
        ({"OurReference": "Old Name"}, "Our reference: Old Name in Fortnox, Anna Ek in Moment"),
        ({"YourReference": ""}, "Your reference: nothing in Fortnox, Bo Lind in Moment"),
        ({"Remarks": "November" + "!" * 100}, f"Invoice text: November{'!' * 72} in Fortnox, November in Moment"),
    ],
)
def test_what_does_not_change_the_books_is_told_and_stops_nothing(changed: dict[str, Any], told: str) -> None:
    comparison = compare(answered(billed(), **changed), billed())
    assert comparison.equal
    assert [say(one.message) for one in comparison.aside] == [told]


def test_long_texts_that_differ_at_their_end_differ() -> None:
    sent = billed(description="a" * 200)
    assert [one.field for one in compare(answered(sent, Remarks="a" * 199 + "b"), sent).aside] == ["Remarks"]
    assert compare(answered(billed(description="a\nb"), Remarks="a\r\n b"), billed(description="a\nb")).aside == ()


def test_a_number_that_fortnox_chose_is_no_difference_where_moment_has_no_payment_id() -> None:
    sent = billed(payment_id=None)
    assert compare(answered(sent, OCR="100165"), sent).aside == ()


def test_what_the_grant_may_not_read_is_not_compared() -> None:
    hidden = dict.fromkeys(("Project", "CostCenter", "OurReference", "YourReference", "Remarks", "OCR"), "API_NORIGHT")
    rows = [WORK | {"Project": "API_NORIGHT", "CostCenter": "API_NORIGHT"}, BOOK]
    comparison = compare(answered(billed(), rows, **hidden), billed())
    assert (comparison.equal, comparison.aside) == (True, ())
