"""Which invoices report their VAT wrongly, and which organisation numbers are VAT numbers: tables."""

import pytest

from mappers.vat import EU, VatCard, account_remarks, card_remark, sold_without_vat, vat_number
from tests.unit.factories import a_line, an_invoice

CODES = {3010: "MP1", 3042: "MP2", 3044: "MF", 3308: "FTEU", 3305: "ÖTEU", 3999: "", 1930: ""}
SWEDISH = VatCard("SE", "SEVAT", False)
GERMAN = VatCard("DE", "EUREVERSEDVAT", True)


def lines(*given: tuple[str, str]) -> tuple[object, ...]:
    """Lines of (account, VAT rate); an amount of 0 where the account ends with `!`."""
    made = [
        a_line(
            account_number=account.rstrip("!"), vat_percentage=rate, amount_excluding_vat="0" if "!" in account else "1"
        )
        for account, rate in given
    ]
    return an_invoice(lines=made).invoice.lines


@pytest.mark.parametrize(
    ("given", "card", "subjects"),
    [
        ([("3010", "25"), ("3042", "12")], SWEDISH, []),
        ([("3010", "0"), ("3010", "0"), ("3042", "0")], SWEDISH, ["account/3010/untaxed", "account/3042/untaxed"]),
        ([("3010", "0")], VatCard("", None, False), ["account/3010/untaxed"]),  # no country: Sweden
        ([("3010", "0")], GERMAN, []),  # the card decides
        ([("3010", "0")], None, []),  # nothing is known of the customer
        ([("3010!", "0")], SWEDISH, []),  # free work
        ([("3044", "0"), ("3999", "0")], SWEDISH, []),
        ([("3308", "25"), ("3305", "6")], SWEDISH, ["account/3308/taxed", "account/3305/taxed"]),
        ([("3308", "25")], None, ["account/3308/taxed"]),
        ([("3308", "0")], GERMAN, []),
    ],
)
def test_an_account_is_remarked_on_where_its_code_does_not_go_with_the_rate(
    given: list[tuple[str, str]], card: VatCard | None, subjects: list[str]
) -> None:
    assert [one.subject for one in account_remarks(lines(*given), CODES, card)] == subjects


@pytest.mark.parametrize(
    ("given", "without"),
    [
        ([("3308", "0")], True),
        ([("3010", "25"), ("3999", "0")], True),
        ([("3010", "25")], False),
        ([("3044", "0")], False),  # exempt wherever the customer is
        ([("3740", "0")], False),  # the rounding account
        ([("1930", "0")], False),  # no sale
        ([("3308!", "0")], False),
    ],
)
def test_sales_at_0_percent_are_lines_of_class_3_that_are_not_exempt(
    given: list[tuple[str, str]], without: bool
) -> None:
    assert bool(sold_without_vat(lines(*given), CODES, 3740)) is without


@pytest.mark.parametrize(
    ("card", "key"),
    [
        (SWEDISH, None),
        (GERMAN, None),
        (VatCard("DE", "EUREVERSEDVAT", False), "vat.eu-customer"),
        (VatCard("DE", "SEVAT", True), "vat.eu-customer"),
        (VatCard("DE", None, False, private=True), None),
        (VatCard("GR", "SEVAT", False), "vat.eu-customer"),
        (VatCard("NO", "EXPORT", False), None),
        (VatCard("GB", "SEVAT", True), "vat.export-customer"),
        (VatCard("US", None, False), "vat.export-customer"),
        (VatCard("SE", "SEREVERSEDVAT", False), None),
    ],
)
def test_a_card_abroad_has_to_say_why_there_is_no_vat(card: VatCard, key: str | None) -> None:
    remark = card_remark("20001", card)
    assert (remark and remark.message.key) == key


@pytest.mark.parametrize(
    ("text", "country", "number"),
    [
        ("DE 123 456 788", "DE", "DE123456788"),
        ("de123456788", "DE", "DE123456788"),
        ("123456788", "DE", None),
        ("ATU13585627", "AT", "ATU13585627"),
        ("NL4495445B01", "NL", "NL004495445B01"),
        ("13585628", "DK", "DK13585628"),
        ("DK 13 58 56 28", "DK", "DK13585628"),
        ("0112038-9", "FI", "FI01120389"),
        ("EL094259216", "GR", "EL094259216"),
        ("DE123456788", "FR", None),
        ("DE123456788", "", None),
        ("SE556677889901", "SE", None),
        ("GB980780684", "GB", None),
        ("", "DE", None),
    ],
)
def test_an_organisation_number_is_a_vat_number_where_it_is_valid_in_the_customers_country(
    text: str, country: str, number: str | None
) -> None:
    assert vat_number(text, country) == number


def test_the_eu_has_26_other_countries() -> None:
    assert len(EU) == 26
    assert not EU & {"SE", "GB", "NO", "XI", "EL"}
