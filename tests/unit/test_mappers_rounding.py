"""A difference between the billed total and the lines is accepted where some rounding explains it, and only there."""

from decimal import ROUND_DOWN, ROUND_HALF_EVEN, ROUND_HALF_UP, Decimal

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from mappers import TotalsDiffer, expected_total, to_invoice
from mappers.rounding import exact_total, explains, most_rounding
from messages import Message
from messages.catalogue import say
from moment.events import InvoiceLine
from tests.unit.factories import a_line, an_invoice

ORE = Decimal("0.01")


def lines_of(*amounts: tuple[str, str]) -> tuple[InvoiceLine, ...]:
    """Lines of (VAT rate, amount excluding VAT)."""
    lines = [a_line(vat_percentage=rate, amount_excluding_vat=amount) for rate, amount in amounts]
    return an_invoice(lines=lines).invoice.lines


@pytest.mark.parametrize(
    ("billed", "lines"),
    [
        ("125.00", [("25", "100.00")]),
        ("1.25", [("25", "0.02")] * 40 + [("25", "0.20")]),  # per rate: 25 % of 1.00
        ("1.45", [("25", "0.02")] * 40 + [("25", "0.20")]),  # per line: 40 × 0.01 + 0.05
        ("6.00", [("25", "0.02")] * 200),  # per line, 1.00 more than per rate
        ("4.00", [("25", "0.02")] * 200),  # per line, halves to even
        ("0.25", [("25", "0.10")] * 2),
        ("0.26", [("25", "0.10")] * 2),
        ("416.67", [("25", "333.3350")]),  # exactly 416.66875
        ("416.68", [("25", "333.3350")]),  # the amount rounded, then its VAT
        ("418.00", [("25", "334.23")]),  # whole kronor: 417.79
        ("417.00", [("25", "334.00")]),  # 417.50 rounded down
        ("418.00", [("25", "334.00")]),  # and up
        ("-418.00", [("25", "-334.23")]),
        ("100.00", [("0", "100.40")]),
        ("0.00", [("25", "100.00"), ("25", "-100.00")]),
        ("0.00", [("25", "0")]),
        ("13128.00", [("25", "10000.00"), ("6", "199.00"), ("25", "333.3350")]),
    ],
)
def test_honest_rounding_is_accepted(billed: str, lines: list[tuple[str, str]]) -> None:
    assert explains(Decimal(billed), lines_of(*lines))


@pytest.mark.parametrize(
    ("billed", "lines", "cause"),
    [
        ("125.01", [("25", "100.00")], "more-than-rounding"),
        ("12500.40", [("25", "10000.00")], "more-than-rounding"),
        ("1.25", [("0", "1.00")], "other-rate"),  # VAT that nobody billed
        ("2.50", [("0", "2.00")], "other-rate"),
        ("5.00", [("0", "4.00")], "other-rate"),
        ("2.24", [("25", "2.00")], "other-rate"),
        ("2.00", [("25", "2.40")], "more-than-rounding"),  # 3.00: whole kronor do not lead so far
        ("10.01", [("0", "0.10")] * 100, "more-than-rounding"),  # lines without VAT have nothing to round
        ("100.00", [("25", "100.00")], "without-vat"),
        ("-125.00", [("25", "100.00")], "sign"),
        ("1250.00", [("25", "1000.00"), ("25", "40.00")], "line"),
        ("99999.00", [("25", "1000.00"), ("25", "40.00")], "missing-line"),
    ],
)
def test_any_other_difference_is_refused_with_its_likely_cause(
    billed: str, lines: list[tuple[str, str]], cause: str
) -> None:
    given_lines = [a_line(vat_percentage=rate, amount_excluding_vat=amount) for rate, amount in lines]
    with pytest.raises(TotalsDiffer) as caught:
        to_invoice(an_invoice(lines=given_lines, total_including_vat=billed).invoice)
    assert caught.value.cause.key == f"mapping.cause.{cause}"
    assert say(caught.value.cause) in say(caught.value.message)


def test_the_cause_names_the_line_that_is_missing() -> None:
    lines = [a_line(), a_line(account_number="3520", vat_percentage="0", amount_excluding_vat="99.50")]
    with pytest.raises(TotalsDiffer) as caught:
        to_invoice(an_invoice(lines=lines, total_including_vat="12500.00").invoice)
    assert "account 3520, 99.50 SEK including VAT" in say(caught.value.cause)
    assert isinstance(caught.value.cause, Message)


amounts = st.tuples(
    st.sampled_from(["25", "12", "6", "0", "12.5"]),
    st.integers(0, 4).flatmap(lambda places: st.integers(-(10**7), 10**7).map(lambda n: Decimal(n).scaleb(-places))),
)
lists = st.lists(amounts, min_size=1, max_size=30)
HALVES = st.sampled_from([ROUND_HALF_UP, ROUND_HALF_EVEN])


def rounded(amount: Decimal, how: str, unit: Decimal = ORE) -> Decimal:
    return amount.quantize(unit, how)


def billed_as(lines: list[tuple[str, Decimal]], where: str, how: str, amounts_first: bool) -> Decimal:
    """The total as an invoicing system computes it that rounds VAT in this place."""
    if amounts_first:
        lines = [(rate, rounded(net, how)) for rate, net in lines]
    vat = [(rate, net * Decimal(rate) / 100) for rate, net in lines]
    if where == "line":
        vat = [(rate, rounded(one, how)) for rate, one in vat]
    by_rate: dict[str, Decimal] = {}
    for rate, one in vat:
        by_rate[rate] = by_rate.get(rate, Decimal(0)) + one
    if where == "rate":
        by_rate = {rate: rounded(one, how) for rate, one in by_rate.items()}
    return rounded(sum((net for _, net in lines), Decimal(0)) + sum(by_rate.values()), how)


@given(lists, st.sampled_from(["line", "rate", "document"]), HALVES, st.booleans(), st.booleans())
def test_an_invoice_whose_total_was_made_by_any_rounding_passes_to_the_ore(
    lines: list[tuple[str, Decimal]], where: str, how: str, amounts_first: bool, kronor: bool
) -> None:
    billed = billed_as(lines, where, how, amounts_first)
    if kronor:
        billed = rounded(billed, how, Decimal(1))
    event = an_invoice(
        lines=[a_line(vat_percentage=rate, amount_excluding_vat=str(net)) for rate, net in lines],
        total_including_vat=str(billed),
    )
    assert expected_total(to_invoice(event.invoice).payload).total == billed


@given(lists, st.integers(1, 10**6), st.sampled_from([1, -1]))
def test_an_invoice_that_is_off_by_more_is_refused(
    lines: list[tuple[str, Decimal]], further: int, direction: int
) -> None:
    given_lines = lines_of(*((rate, str(net)) for rate, net in lines))
    limit = exact_total(given_lines) + direction * most_rounding(given_lines)
    billed = rounded(limit, ROUND_DOWN) + direction * (ORE * further + ORE)
    assume(abs(billed - exact_total(given_lines)) > most_rounding(given_lines))
    assume(billed != rounded(billed, ROUND_HALF_UP, Decimal(1)) or further > 100)
    event = an_invoice(
        lines=[a_line(vat_percentage=rate, amount_excluding_vat=str(net)) for rate, net in lines],
        total_including_vat=str(billed),
    )
    with pytest.raises(TotalsDiffer):
        to_invoice(event.invoice)
