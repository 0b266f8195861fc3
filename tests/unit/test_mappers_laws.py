"""What holds for any event: totals kept to the öre, mapping repeatable, every text one that Fortnox takes."""

import unicodedata
from collections import defaultdict
from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from fortnox.payloads import InvoicePayload
from mappers import expected_total, to_customer, to_invoice, to_project
from tests.unit.factories import a_customer, a_line, a_project, an_invoice

amounts = st.integers(0, 4).flatmap(
    lambda places: st.integers(-(10**8), 10**8).map(lambda digits: Decimal(digits).scaleb(-places))
)
projects = st.sampled_from([None, {"id": 1, "project_number": "1"}, {"id": 2, "project_number": "2"}])
lines = st.lists(
    st.builds(
        lambda account, rate, amount, project: a_line(
            account_number=account, vat_percentage=rate, amount_excluding_vat=str(amount), project=project
        ),
        st.sampled_from(["3010", "3020", "3740"]),
        st.sampled_from(["25", "12", "6", "0", "25.0", "12.5"]),
        amounts,
        projects,
    ),
    min_size=1,
    max_size=12,
)


def half_up(amount: Fraction) -> int:
    """To whole units, away from zero: counted in integers, so that nothing here shares code with the mappers."""
    size = (abs(amount) * 2 + 1) // 2
    return int(size if amount >= 0 else -size)


def as_fortnox_computes(payload: InvoicePayload) -> Fraction:
    nets: dict[Fraction, int] = defaultdict(int)
    for row in payload.invoice_rows:
        nets[Fraction(row.vat)] += half_up(Fraction(row.price) * Fraction(row.delivered_quantity) * 100)
    vat = sum(half_up(net * rate / 100) for rate, net in nets.items())
    return Fraction(sum(nets.values()) + vat, 100)


def including_vat(invoice_lines: list[dict[str, Any]]) -> Fraction:
    return sum(
        (Fraction(line["amountExcludingVat"]) * (1 + Fraction(line["vatPercentage"]) / 100) for line in invoice_lines),
        Fraction(0),
    )


def rounded(amount: Fraction, unit: str) -> Decimal:
    exact = Decimal(amount.numerator) / Decimal(amount.denominator)
    return exact.quantize(Decimal(unit), ROUND_HALF_UP)


@given(lines, st.sampled_from(["0.01", "1", "0.0001"]), st.booleans())
def test_the_ledgers_total_is_what_was_billed_to_the_ore(
    invoice_lines: list[dict[str, Any]], unit: str, names_an_original: bool
) -> None:
    billed = rounded(including_vat(invoice_lines), unit)
    credited = 1000 if names_an_original and billed <= 0 else None
    event = an_invoice(lines=invoice_lines, total_including_vat=str(billed), credited_invoice_number=credited)
    payload = to_invoice(event.invoice).payload
    to_the_ore = billed.quantize(Decimal("0.01"), ROUND_HALF_UP)
    assert as_fortnox_computes(payload) == Fraction(to_the_ore)
    assert expected_total(payload).total == to_the_ore
    is_credit = billed < 0 or credited is not None
    assert {row.delivered_quantity for row in payload.invoice_rows} == {"-1" if is_credit else "1"}


@given(lines)
def test_each_account_and_rate_keeps_its_sum(invoice_lines: list[dict[str, Any]]) -> None:
    billed = rounded(including_vat(invoice_lines), "0.01")
    payload = to_invoice(an_invoice(lines=invoice_lines, total_including_vat=str(billed)).invoice).payload
    sums: dict[tuple[int, Decimal, str], Fraction] = defaultdict(Fraction)
    for line in invoice_lines:
        project = (line["project"] or {}).get("projectNumber", "1")
        key = (int(line["accountNumber"]), Decimal(line["vatPercentage"]), project)
        sums[key] += Fraction(line["amountExcludingVat"])
    rows = [row for row in payload.invoice_rows if row.description != "Öresavrundning"]
    assert [(row.account_number, row.vat, row.project or "1") for row in rows] == list(sums)
    for row, exact in zip(rows, sums.values(), strict=True):
        assert abs(Fraction(row.price) * Fraction(row.delivered_quantity) - exact) <= Fraction(1, 200)


texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=300)
names = texts.filter(str.strip)


def takes(text: str) -> bool:
    others = "0123456789 –:.`´’,;^¤#%§£$€¢¥©™°&/()=+-*_!?²³®½@\\\n\r\u00a0\u0308\u030a"
    return all(char in others or unicodedata.category(char)[0] == "L" for char in text)


def strings(value: object) -> list[str]:
    if isinstance(value, dict):
        return [text for part in value.values() for text in strings(part)]
    if isinstance(value, list | tuple):
        return [text for part in value for text in strings(part)]
    return [value] if isinstance(value, str) else []


@given(names, texts | st.none(), texts | st.none(), texts | st.none(), texts | st.none())
def test_any_customer_becomes_one_that_fortnox_takes(
    name: str, number: str | None, email: str | None, line: str | None, zip_code: str | None
) -> None:
    address = {"address1": line, "address2": line, "city": line, "zip_code": zip_code, "country_code": None}
    event = a_customer(name=name, organization_number=number, email=email, address=address)
    result = to_customer(event.customer)
    assert all(map(takes, strings(result.payload.for_update())))
    assert all(strings(result.payload.for_update()))  # an empty string changes nothing in Fortnox
    assert result == to_customer(event.customer)


@given(names)
def test_any_project_becomes_one_that_fortnox_takes(name: str) -> None:
    event = a_project(name=name)
    result = to_project(event.project)
    assert 1 <= len(result.payload.description) <= 50
    assert takes(result.payload.description)
    assert result == to_project(event.project)


@given(
    lines,
    texts | st.none(),
    texts | st.none(),
    texts | st.none(),
    st.text(max_size=50) | st.none(),
    st.lists(texts | st.none(), min_size=1, max_size=12),
)
def test_any_invoice_becomes_one_that_fortnox_takes(
    invoice_lines: list[dict[str, Any]],
    description: str | None,
    yours: str | None,
    theirs: str | None,
    payment_id: str | None,
    line_texts: list[str | None],
) -> None:
    said = [line | {"description": line_texts[n % len(line_texts)]} for n, line in enumerate(invoice_lines)]
    event = an_invoice(
        lines=said,
        total_including_vat=str(rounded(including_vat(said), "0.01")),
        description=description,
        your_reference=yours,
        their_reference=theirs,
        payment_id=payment_id,
    )
    result = to_invoice(event.invoice)
    assert all(map(takes, strings(result.payload.for_create())))
    assert all(row.description.strip() for row in result.payload.invoice_rows)
    assert result == to_invoice(event.invoice)
