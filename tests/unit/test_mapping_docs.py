"""docs/mapping.md names every field, and its example is what the mappers do."""

import re
from decimal import Decimal
from pathlib import Path

import pytest
from pydantic import BaseModel

from fortnox.payloads import CustomerPayload, InvoicePayload, InvoiceRowPayload, ProjectPayload
from mappers import compare, to_invoice
from mappers.text import clean
from moment.events import Address, Customer, Invoice, InvoiceLine, Project
from tests.openapi import DOCUMENT, load_document
from tests.unit.factories import a_line, an_invoice
from tests.unit.test_mappers_comparison import BOOK, WORK, answered, billed

DOC = (Path(__file__).parents[2] / "docs" / "mapping.md").read_text(encoding="utf-8")


def section(heading: str) -> str:
    level = heading.split()[0]
    found = re.search(rf"^{re.escape(heading)}\n(.*?)(?=^#{{1,{len(level)}}} |\Z)", DOC, re.MULTILINE | re.DOTALL)
    assert found, heading
    return found[1]


def aliases(model: type[BaseModel]) -> list[str]:
    return [field.alias or name for name, field in model.model_fields.items()]


@pytest.mark.parametrize(
    ("heading", "model"),
    [
        ("## Customers", CustomerPayload),
        ("## Projects", ProjectPayload),
        ("## Invoices and credit notes", InvoicePayload),
        ("### Rows", InvoiceRowPayload),
    ],
)
def test_every_field_that_is_sent_has_its_row_in_the_table(heading: str, model: type[BaseModel]) -> None:
    second_column = re.findall(r"^\|[^|]*\| `(\w+)` \|", section(heading), re.MULTILINE)
    assert set(aliases(model)) <= set(second_column)


@pytest.mark.parametrize(
    ("heading", "prefix", "model"),
    [
        ("## Customers", "customer.", Customer),
        ("## Customers", "customer.address.", Address),
        ("## Projects", "project.", Project),
        ("## Invoices and credit notes", "invoice.", Invoice),
        ("### Rows", "", InvoiceLine),
    ],
)
def test_every_field_of_moments_is_accounted_for(heading: str, prefix: str, model: type[BaseModel]) -> None:
    first_column = " ".join(re.findall(r"^\|([^|]*)\|", section(heading), re.MULTILINE))
    for name in aliases(model):
        assert f"`{prefix}{name}`" in first_column or f"`{prefix}{name}." in first_column, name


def test_no_table_names_a_field_that_is_not_sent() -> None:
    tables = DOC.partition("## Text")[0]
    second_column = re.findall(r"^\|[^|]*\| `(\w+)` \|", tables, re.MULTILINE)
    known = {
        alias
        for model in (CustomerPayload, ProjectPayload, InvoicePayload, InvoiceRowPayload)
        for alias in aliases(model)
    }
    assert len(second_column) > 30
    assert set(second_column) <= known


def whose(place: int) -> dict[str, str]:
    """The table of all of Fortnox's fields: of the invoice (0), of a row (1)."""
    tables = re.findall(r"(?:^\|.*\n)+", section("### Every field of Fortnox's invoice"), re.MULTILINE)
    lines = re.findall(r"^\| (`[^|]+`) \| ([^|]+) \|", tables[place], re.MULTILINE)
    return {name: said for names, said in lines for name in re.findall(r"`(\w+)`", names)}


@pytest.mark.parametrize(("place", "model"), [(0, InvoicePayload), (1, InvoiceRowPayload)])
def test_what_is_sent_is_moments_in_the_table_of_all_fields(place: int, model: type[BaseModel]) -> None:
    assert {name for name, said in whose(place).items() if said.startswith("Moment's")} == set(aliases(model))


@pytest.mark.parametrize(("place", "schema"), [(0, "fortnox_InvoicePayload"), (1, "fortnox_InvoicePayload_InvoiceRow")])
def test_the_table_of_all_fields_has_those_of_fortnoxs_document(place: int, schema: str) -> None:
    document = load_document()
    if document is None:
        pytest.skip(f"Fortnox's OpenAPI document is not at {DOCUMENT}; set FORTNOX_OPENAPI to check the table")
    assert set(whose(place)) == set(document["components"]["schemas"][schema]["properties"])


OTHER_VALUES = {
    "InvoiceDate": "2027-01-01",
    "DueDate": "2027-01-01",
    "CurrencyUnit": 100,
    "InvoiceRows": [WORK],
    "VATIncluded": True,
    "NotCompleted": True,
}
BY_ITS_OWN_MESSAGE = {"DocumentNumber", "ExternalInvoiceReference1"}  # tests of tasks/invoices.py


@pytest.mark.parametrize("name", sorted(whose(0).keys() - BY_ITS_OWN_MESSAGE))
def test_the_fields_that_are_compared_are_those_of_the_table(name: str) -> None:
    sent = billed(currency_code="EUR", currency_rate="11.42")
    comparison = compare(answered(sent, **{name: OTHER_VALUES.get(name, "7")}), sent)
    differs = not comparison.equal or bool(comparison.aside)
    assert differs is ("compared" in whose(0)[name])


@pytest.mark.parametrize("name", sorted(whose(1)))
def test_the_fields_of_a_row_that_are_compared_are_those_of_the_table(name: str) -> None:
    if "sum" in section("### Every field of Fortnox's invoice").partition(f"`{name}`")[2].partition("\n")[0]:
        name = "TotalExcludingVAT"
    comparison = compare(answered(billed(), [WORK | {name: "7"}, BOOK]), billed())
    differs = not comparison.equal or bool(comparison.aside)
    assert differs is ("compared" in whose(1).get(name, "compared"))


def test_the_example_is_what_happens() -> None:
    tables = [
        [[cell.strip() for cell in line.strip("|").split("|")] for line in table.strip().splitlines()[2:]]
        for table in re.findall(r"(?:^\|.*\n)+", section("### The total"), re.MULTILINE)
    ]
    in_moment, in_fortnox = tables
    lines = [
        a_line(description=text, account_number=account, vat_percentage=vat[:-2], amount_excluding_vat=amount)
        for text, account, vat, amount in in_moment
    ]
    event = an_invoice(lines=lines, total_including_vat="13128.00")
    rows = to_invoice(event.invoice).payload.invoice_rows
    assert [[row.description, str(row.account_number), f"{row.vat} %", str(row.price)] for row in rows] == in_fortnox
    assert "13 128.00" in section("### The total")
    assert sum(row.price for row in rows[:2]) == Decimal("10532.34")


def test_the_stand_ins_for_characters_are_what_happens() -> None:
    for before, after in re.findall(r"^\| (`.+`) \| (`[^|]+`)(?: \(.*)? \|$", section("## Text"), re.MULTILINE):
        wanted = re.findall(r"`([^`]+)`", after)
        for char in re.findall(r"`([^`]+)`", before):
            assert clean(char) in wanted, char
