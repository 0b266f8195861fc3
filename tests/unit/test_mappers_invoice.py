"""Moment's invoices and credit notes as Fortnox's."""

from datetime import date
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

import pytest

from fortnox.payloads import InvoicePayload, InvoiceRowPayload, without_blanks
from mappers import (
    BadCreditNote,
    BadNumber,
    InvoiceOptions,
    Mapped,
    NoCurrencyRate,
    TooManyRows,
    TotalsDiffer,
    expected_total,
    to_invoice,
)
from messages.catalogue import money, say
from tests.unit.factories import a_credit_note, a_line, an_invoice


def mapped(options: InvoiceOptions | None = None, **overrides: Any) -> Mapped[InvoicePayload]:
    return to_invoice(an_invoice(**overrides).invoice, options or InvoiceOptions())


def with_lines(*lines: dict[str, Any], total: str, **overrides: Any) -> Mapped[InvoicePayload]:
    return mapped(lines=list(lines), total_including_vat=total, **overrides)


def shown(row: InvoiceRowPayload) -> tuple[int, str, str, str, str]:
    return (row.account_number, row.delivered_quantity, row.description, str(row.price), str(row.vat))


def test_every_field_of_an_invoice_is_carried() -> None:
    payload = mapped(description="Rad 1\nRad 2").payload
    assert payload.model_dump(by_alias=True, exclude_unset=True) == {
        "DocumentNumber": "1001",
        "CustomerNumber": "10001",
        "InvoiceDate": date(2026, 11, 20),
        "DueDate": date(2026, 12, 20),
        "Currency": "SEK",
        "VATIncluded": False,
        "Freight": 0,
        "AdministrationFee": 0,
        "OCR": "10017",
        "OurReference": "Anna Ek",
        "YourReference": "Bo Lind",
        "Project": "1",
        "CostCenter": None,
        "Remarks": "Rad 1\nRad 2",
        "ExternalInvoiceReference1": "106939080",
        "InvoiceRows": (
            {
                "AccountNumber": 3010,
                "DeliveredQuantity": "1",
                "Description": "Konsulttimmar",
                "Price": Decimal("10000.00"),
                "Discount": 0,
                "VAT": 25,
                "Project": "1",
            },
        ),
    }


def test_the_company_may_swap_the_references() -> None:
    payload = mapped(InvoiceOptions(swap_references=True)).payload
    assert (payload.our_reference, payload.your_reference) == ("Bo Lind", "Anna Ek")


def test_what_an_invoice_lacks_is_emptied_so_that_the_customers_card_does_not_fill_it_in() -> None:
    names = ("project", "payment_id", "description", "your_reference", "their_reference")
    result = mapped(**dict.fromkeys(names))
    sent = result.payload.for_create()
    owned = ("Project", "CostCenter", "Remarks", "OurReference", "YourReference")
    assert {name: sent[name] for name in owned} == dict.fromkeys(owned, "API_BLANK")
    assert [(row["Project"], row["Discount"]) for row in sent["InvoiceRows"]] == [("API_BLANK", 0)]
    assert "OCR" not in sent  # Fortnox makes one
    assert result.notices == ()
    plain = without_blanks(sent)
    assert set(sent) - set(plain) == set(owned)
    assert [set(row) for row in plain["InvoiceRows"]] == [set(sent["InvoiceRows"][0]) - {"Project"}]


# Rows


def test_lines_of_one_account_vat_rate_and_project_make_one_row_in_order_of_appearance() -> None:
    result = with_lines(
        a_line(account_number="3020", amount_excluding_vat="100"),
        a_line(account_number="3010", amount_excluding_vat="200"),
        a_line(account_number="3020", amount_excluding_vat="50", vat_percentage="25.00", description="Restid"),
        a_line(account_number="3020", amount_excluding_vat="10", vat_percentage="6"),
        a_line(account_number="3020", amount_excluding_vat="20", project={"id": 2, "project_number": "2"}),
        a_line(account_number="3010", amount_excluding_vat="30", project={"id": 62788980, "project_number": "1"}),
        total="510.60",
    )
    assert [(*shown(row), row.project) for row in result.payload.invoice_rows] == [
        (3020, "1", "Konsulttimmar, Restid (2 rader)", "150.00", "25", "1"),
        (3010, "1", "Konsulttimmar (2 rader)", "230.00", "25", "1"),
        (3020, "1", "Konsulttimmar", "10.00", "6", "1"),
        (3020, "1", "Konsulttimmar", "20.00", "25", "2"),
    ]


def test_a_line_may_have_a_project_where_the_invoice_has_none() -> None:
    project = {"id": 2, "project_number": "2"}
    result = with_lines(a_line(project=project), a_line(), total="25000", project=None)
    assert [row.project for row in result.payload.invoice_rows] == ["2", None]


def test_amounts_are_summed_before_they_are_rounded() -> None:
    result = with_lines(*[a_line(amount_excluding_vat="0.3333", vat_percentage="0")] * 3, total="1.00")
    assert [row.price for row in result.payload.invoice_rows] == [Decimal("1.00")]


@pytest.mark.parametrize(
    ("amount", "price"), [("1.125", "1.13"), ("1.1249", "1.12"), ("-1.125", "-1.13"), ("0.005", "0.01")]
)
def test_a_sum_is_rounded_half_up(amount: str, price: str) -> None:
    # The other line keeps the invoice positive: this is about the row, not about credit notes.
    other = a_line(account_number="3990", amount_excluding_vat="100", vat_percentage="0")
    row = a_line(amount_excluding_vat=amount, vat_percentage="0")
    result = with_lines(row, other, total=str(Decimal(100) + Decimal(price)))
    assert shown(result.payload.invoice_rows[0])[3] == price


def test_a_row_says_what_its_lines_say_at_most_255_characters() -> None:
    texts = [f"Moment {n} av den stora ombyggnaden i hamnen" for n in range(20)]
    lines = [a_line(description=text, amount_excluding_vat="1") for text in texts]
    (row, *_) = with_lines(*lines, total="25").payload.invoice_rows
    assert row.description.startswith("Moment 0 av den stora ombyggnaden i hamnen, Moment 1")
    assert row.description.endswith(" (20 rader)")
    assert len(row.description) <= 255


@pytest.mark.parametrize("text", [None, "", " ", "😀"])
def test_a_row_whose_lines_say_nothing_names_its_account(text: str | None) -> None:
    (row,) = with_lines(a_line(description=text), total="12500").payload.invoice_rows
    assert row.description == "Konto 3010"


def test_a_discount_keeps_the_quantity_and_has_a_negative_price() -> None:
    result = with_lines(
        a_line(), a_line(account_number="3730", amount_excluding_vat="-500", description="Rabatt"), total="11875"
    )
    assert shown(result.payload.invoice_rows[1]) == (3730, "1", "Rabatt", "-500.00", "25")


def test_a_group_that_sums_to_zero_stays_as_a_row_of_zero() -> None:
    result = with_lines(
        a_line(),
        a_line(account_number="3020", amount_excluding_vat="100"),
        a_line(account_number="3020", amount_excluding_vat="-100"),
        total="12500",
    )
    assert shown(result.payload.invoice_rows[1])[3] == "0.00"


def lines_on(accounts: int) -> list[dict[str, Any]]:
    return [a_line(account_number=str(3000 + n), amount_excluding_vat="1", vat_percentage="0") for n in range(accounts)]


def test_500_rows_are_taken() -> None:
    assert len(with_lines(*lines_on(500), total="500").payload.invoice_rows) == 500


@pytest.mark.parametrize(("more", "total"), [("1", "501"), ("0.40", "500")])  # 500 lines and one more, or its rounding
def test_more_rows_than_fortnox_takes_are_an_error_that_counts_them(more: str, total: str) -> None:
    last = a_line(account_number="3600" if more == "1" else "3000", amount_excluding_vat=more, vat_percentage="0")
    with pytest.raises(TooManyRows) as caught:
        with_lines(*lines_on(500), last, total=total)
    assert caught.value.path == "invoice.lines"
    assert "make 501 rows" in say(caught.value.message)


# The total


@pytest.mark.parametrize(("net", "difference"), [("334.23", "0.21"), ("333.60", "-0.00"), ("333.90", "-0.38")])
def test_a_difference_that_rounding_explains_becomes_a_row_on_the_rounding_account(net: str, difference: str) -> None:
    total = (Decimal(net) * Decimal("1.25")).quantize(Decimal(1), ROUND_HALF_UP)
    options = InvoiceOptions(rounding_account="3741")
    result = mapped(options, lines=[a_line(amount_excluding_vat=net)], total_including_vat=str(total))
    rows = [shown(row) for row in result.payload.invoice_rows[1:]]
    assert rows == ([(3741, "1", "Öresavrundning", difference, "0")] if Decimal(difference) else [])
    assert expected_total(result.payload).total == total
    assert result.notices == ()


@pytest.mark.parametrize(("total", "billed"), [("12500.01", "12500.01"), ("12499", "12499.00"), ("0", "0.00")])
def test_any_other_difference_is_refused_with_both_figures_and_the_sums_by_account(total: str, billed: str) -> None:
    with pytest.raises(TotalsDiffer) as caught:
        mapped(total_including_vat=total)
    assert (caught.value.billed, caught.value.computed) == (Decimal(billed), Decimal("12500.00"))
    for part in (
        f"{money(Decimal(billed), 'SEK', 'en')} was billed",
        "come to 12,500.00 SEK",
        "3010 at 25 %: 10,000.00 SEK",
    ):
        assert part in say(caught.value.message)
    assert "Nothing was sent" in say(caught.value.remedy)


def test_no_rounding_row_is_made_where_the_totals_agree() -> None:
    assert len(mapped().payload.invoice_rows) == 1


def test_vat_is_rounded_per_rate_and_not_per_row() -> None:
    # Two rows of 0.10 at 25 %: per rate 0.05, per row 0.03 + 0.03.
    lines = [a_line(account_number=account, amount_excluding_vat="0.10") for account in ("3010", "3020")]
    totals = expected_total(with_lines(*lines, total="0.25").payload)
    assert [(rate.percentage, rate.net, rate.vat) for rate in totals.vat_by_rate] == [
        (Decimal(25), Decimal("0.20"), Decimal("0.05"))
    ]
    assert (totals.net, totals.vat, totals.total) == (Decimal("0.20"), Decimal("0.05"), Decimal("0.25"))


# Credit notes


def test_a_credit_note_mirrors_the_invoice_and_names_it() -> None:
    payload = to_invoice(a_credit_note().invoice).payload
    assert (payload.document_number, payload.credit_invoice_reference, payload.external_invoice_reference2) == (
        1002,
        "1001",
        "1001",
    )
    assert [shown(row) for row in payload.invoice_rows] == [(3010, "-1", "Konsulttimmar", "10000.00", "25")]
    assert expected_total(payload).total == Decimal("-12500.00")


def test_a_negative_total_makes_a_credit_note_without_an_original() -> None:
    payload = to_invoice(a_credit_note(credited_invoice_number=None).invoice).payload
    assert payload.invoice_rows[0].delivered_quantity == "-1"
    assert not {"CreditInvoiceReference", "ExternalInvoiceReference2"} & set(payload.for_update())


def test_a_group_that_runs_against_the_credit_note_has_a_negative_price() -> None:
    fee = a_line(account_number="3540", amount_excluding_vat="100", description="Avgift")
    event = a_credit_note(lines=[a_line(amount_excluding_vat="-10000"), fee], total_including_vat="-12375")
    payload = to_invoice(event.invoice).payload
    assert shown(payload.invoice_rows[1]) == (3540, "-1", "Avgift", "-100.00", "25")
    assert expected_total(payload).total == Decimal("-12375.00")


def test_a_credit_note_is_rounded_with_its_own_sign() -> None:
    lines = [a_line(amount_excluding_vat="-10000.32")]
    payload = to_invoice(a_credit_note(lines=lines, total_including_vat="-12500").invoice).payload
    assert shown(payload.invoice_rows[1]) == (3740, "-1", "Öresavrundning", "-0.40", "0")


@pytest.mark.parametrize("payment_id", ["10017", "10018"])
def test_a_credit_note_has_its_own_payment_id(payment_id: str) -> None:
    result = to_invoice(a_credit_note(payment_id=payment_id).invoice)
    assert result.payload.ocr == payment_id
    assert result.notices == ()
    assert "OCR" not in to_invoice(a_credit_note(payment_id=None).invoice).payload.for_create()


def test_a_credit_note_of_nothing_is_one() -> None:
    lines = [a_line(amount_excluding_vat="-100"), a_line(amount_excluding_vat="100")]
    payload = to_invoice(a_credit_note(lines=lines, total_including_vat="0").invoice).payload
    assert shown(payload.invoice_rows[0])[1:4] == ("-1", "Konsulttimmar (2 rader)", "0.00")


def test_a_credit_note_with_a_positive_total_is_refused() -> None:
    with pytest.raises(BadCreditNote) as caught:
        mapped(credited_invoice_number=1000)
    assert (caught.value.path, caught.value.value) == ("invoice.totalIncludingVat", "12500.00")
    assert "would bill the customer again" in say(caught.value.message)


def test_a_credit_note_cannot_credit_itself() -> None:
    with pytest.raises(BadCreditNote) as caught:
        to_invoice(a_credit_note(credited_invoice_number=1002).invoice)
    assert caught.value.path == "invoice.creditedInvoiceNumber"


# Currency


def test_swedish_kronor_have_no_rate() -> None:
    result = mapped(InvoiceOptions(currency_rate=Decimal("9.9")), currency_rate="1.5")
    assert "CurrencyRate" not in result.payload.for_update()


@pytest.mark.parametrize(
    ("in_event", "looked_up", "sent"), [("11.2345", None, "11.2345"), (None, "10.5", "10.5"), ("11.2", "10.5", "11.2")]
)
def test_foreign_currency_has_the_events_rate_or_the_one_looked_up(
    in_event: str | None, looked_up: str | None, sent: str
) -> None:
    options = InvoiceOptions(currency_rate=None if looked_up is None else Decimal(looked_up))
    payload = mapped(options, currency_code="EUR", currency_rate=in_event).payload
    assert (payload.currency, payload.currency_rate) == ("EUR", Decimal(sent))


def test_foreign_currency_without_a_rate_is_refused_and_never_taken_for_one() -> None:
    with pytest.raises(NoCurrencyRate) as caught:
        mapped(currency_code="EUR")
    assert (caught.value.path, caught.value.value) == ("invoice.currencyRate", "EUR")


# The odd ones


@pytest.mark.parametrize(
    ("payment_id", "ocr"),
    [
        ("10017", "10017"),
        (" 1 0017 ", "10017"),
        *((given, given) for given in ("0043450234125", "10018", "7", "0" * 26, "F10017", "RF18539007547034")),
    ],
)
def test_the_payment_id_is_sent_as_it_is_given_whatever_its_check_digit(payment_id: str, ocr: str) -> None:
    result = mapped(payment_id=payment_id)
    assert result.payload.ocr == ocr
    assert result.notices == ()


@pytest.mark.parametrize("payment_id", ["１００１７", "+71<10017", "[10017]"])
def test_a_payment_id_in_characters_that_fortnox_refuses_is_left_out_and_told(payment_id: str) -> None:
    result = mapped(payment_id=payment_id)
    assert "OCR" not in result.payload.for_update()
    assert [(notice.field, notice.value) for notice in result.notices] == [("invoice.paymentId", payment_id)]
    assert payment_id in say(result.notice)


def test_a_due_date_before_the_invoice_date_is_sent_and_told() -> None:
    result = mapped(due_date="2026-11-19")
    assert result.payload.due_date == date(2026, 11, 19)
    assert [notice.field for notice in result.notices] == ["invoice.dueDate"]


def test_references_and_remarks_are_cleaned_and_shortened() -> None:
    payload = mapped(your_reference="Anna 'Ek' " + "x" * 60, description="<a>\r\n" + "y" * 2000).payload
    assert (payload.our_reference or "").startswith("Anna ’Ek’ x")
    assert len(payload.our_reference or "") == 50
    assert (payload.remarks or "").startswith("(a)\ny")
    assert len(payload.remarks or "") == 1024


@pytest.mark.parametrize(
    ("overrides", "path"),
    [
        ({"customer": {"customer_number": "a.b"}}, "invoice.customer.customerNumber"),
        ({"project": {"project_number": "1" * 21}}, "invoice.project.projectNumber"),
        (
            {"lines": [a_line(), a_line(project={"id": 2, "project_number": "1" * 21})]},
            "invoice.lines.1.project.projectNumber",
        ),
    ],
)
def test_a_number_that_fortnox_cannot_hold_is_named_by_its_path(overrides: dict[str, Any], path: str) -> None:
    with pytest.raises(BadNumber) as caught:
        mapped(**overrides)
    assert caught.value.path == path
