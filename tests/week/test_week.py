"""The short variant of `make week`, and the proof that it would notice."""

import copy
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tests.week.judge import Deleted, Known, differing, wrong
from tests.week.rule import Choices, expenses_of, view_of
from tests.week.run import SHORT, run

pytestmark = pytest.mark.proof


def test_expenses_are_the_rule_applied_to_the_ledger_in_the_night_that_has_an_hour_twice(tmp_path: Path) -> None:
    report = run(SEED, tmp_path, SHORT)

    assert report.broken == [], str(report)
    assert (report.checkpoints, report.kills) == (3, 1)
    assert report.created > 20
    assert report.corrected + report.withdrawn > 2


SEED = 4

# Without processes, by hand


def a_row(**changed: Any) -> dict[str, Any]:
    zero = Decimal(0)
    plain = {"Account": 4010, "Code": "", "Project": "P1", "ItemDescription": "Reglar", "TransactionInformation": ""}
    return {**plain, "Debit": Decimal(100), "Credit": zero, "DebitCurrency": zero, "CreditCurrency": zero} | changed


def an_invoice(*rows: dict[str, Any], **changed: Any) -> dict[str, Any]:
    owed = a_row(Account=2440, Code="TOT", Debit=Decimal(0), Credit=Decimal(100))
    return {
        "GivenNumber": "1", "SupplierName": "Virke AB", "InvoiceNumber": "F-1", "InvoiceDate": "2026-10-20",
        "Currency": "SEK", "Project": "", "Credit": False, "Booked": True, "Cancelled": False, "approved": True,
        "modified": "2026-10-22 10:00", "SupplierInvoiceRows": [owed, *(rows or (a_row(),))],
    } | changed  # fmt: skip


def a_ledger(*invoices: dict[str, Any]) -> dict[str, Any]:
    projects = [{"ProjectNumber": "P1", "StartDate": "2026-01-01"}, {"ProjectNumber": "P2", "StartDate": None}]
    return {"supplierInvoices": list(invoices), "projects": projects}


def a_moment(ledger: dict[str, Any], choices: Choices = Choices()) -> dict[str, Any]:  # noqa: B008  # frozen
    """A Moment that is as it should be."""
    moment: dict[str, Any] = {"projects": [{"projectNumber": "P1"}, {"projectNumber": "P2"}], "deletedExpenses": []}
    view = view_of(choices, ledger, moment)
    moment["expenses"] = [
        {**fields, "externalId": name, "billable": True, "writes": {"POST": 1, "PUT": 0}, "invoiced": False}
        for invoice in ledger["supplierInvoices"]
        for name, fields in expenses_of(invoice, view).items()
    ]
    return moment


def names(*invoices: dict[str, Any], choices: Choices = Choices()) -> list[str]:  # noqa: B008  # frozen
    return [one["externalId"] for one in a_moment(a_ledger(*invoices), choices)["expenses"]]


@pytest.mark.parametrize(
    "changed",
    [{"Cancelled": True}, {"Booked": False}, {"InvoiceDate": None}, {"approved": False}],
)
def test_a_supplier_invoice_that_does_not_count_has_no_expense(changed: dict[str, Any]) -> None:
    assert names(an_invoice()) == ["fortnox:1:2"]
    assert names(an_invoice(**changed)) == []


@pytest.mark.parametrize(
    "changed",
    [
        {"Account": 0}, {"Account": 2445}, {"Account": 2641}, {"Account": 1930}, {"Account": 8000}, {"Code": "VAT"},
        {"Debit": Decimal(0)}, {"Project": ""}, {"Project": "P2"}, {"Project": "P9"},
    ],
)  # fmt: skip
def test_a_row_that_does_not_count_has_no_expense(changed: dict[str, Any]) -> None:
    assert names(an_invoice(a_row(**changed), a_row())) == ["fortnox:1:3"]


def test_a_companys_choices_decide() -> None:
    assert names(an_invoice(Booked=False), choices=Choices(requires="approved")) == ["fortnox:1:2"]
    assert names(an_invoice(approved=False), choices=Choices(requires="posted")) == ["fortnox:1:2"]
    assert names(an_invoice(), choices=Choices(from_date="2026-10-21")) == []
    assert names(an_invoice(), choices=Choices(accounts=("5000-5999", "4010"))) == ["fortnox:1:2"]
    assert names(an_invoice(), choices=Choices(accounts=("5000-5999",))) == []


def test_a_credit_note_is_negative_however_it_is_written() -> None:
    view = view_of(Choices(), a_ledger(), a_moment(a_ledger()))
    other_way = an_invoice(a_row(Debit=Decimal(0), Credit=Decimal(100)), Credit=True)
    other_way["SupplierInvoiceRows"][0] |= {"Debit": Decimal(100), "Credit": Decimal(0)}
    for invoice in (an_invoice(Credit=True), other_way):
        assert expenses_of(invoice, view)["fortnox:1:2"]["amountExcludingVat"] == Decimal(-100)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda moment: moment["expenses"].pop(),
        lambda moment: moment["expenses"].append(moment["expenses"][0] | {"externalId": "fortnox:1:9"}),
        lambda moment: moment["expenses"][0].update(amountExcludingVat=Decimal("100.01")),
        lambda moment: moment["expenses"][0].update(projectNumber="P2"),
        lambda moment: moment["expenses"][0].update(billable=False),
        lambda moment: moment["expenses"][0].update(writes={"POST": 2, "PUT": 0}),
    ],
)
def test_each_way_of_being_wrong_is_noticed(spoil: Callable[[dict[str, Any]], None]) -> None:
    ledger = a_ledger(an_invoice(a_row(), a_row(Debit=Decimal("7.50"))))
    moment = a_moment(ledger)
    assert wrong(Known(Choices()), ledger, copy.deepcopy(moment)) == []
    spoil(moment)
    assert wrong(Known(Choices()), ledger, moment)


def test_a_project_that_comes_late_may_wait_for_the_reconciliation_and_no_longer() -> None:
    ledger = a_ledger(an_invoice(a_row(Project="P2")))
    before, known = a_moment(ledger), Known(Choices())
    assert wrong(known, ledger, before) == []
    ledger["projects"][1]["StartDate"] = "2026-01-01"
    assert wrong(known, ledger, before) == []
    assert wrong(known, ledger, a_moment(ledger)) == []

    known.looks.append(("2026-10-22 11:00", len(known.views) - 1))
    assert wrong(known, ledger, before) == []  # it changed before what was looked at again
    known.looks.append(("2026-10-22 09:00", len(known.views) - 1))
    assert wrong(known, ledger, before)
    assert wrong(known, ledger, a_moment(ledger)) == []


def test_what_was_invoiced_stays_and_is_told() -> None:
    ledger = a_ledger(an_invoice())
    moment, known = a_moment(ledger), Known(Choices())
    assert wrong(known, ledger, moment) == []
    known.invoiced["fortnox:1:2"] = {k: v for k, v in moment["expenses"][0].items() if k in a_fields(ledger)}
    assert differing(known, ledger) == {}
    ledger["supplierInvoices"][0]["Cancelled"] = True
    assert wrong(known, ledger, moment) == []
    assert differing(known, ledger) == {"fortnox:1:2": [None]}
    moment["expenses"].clear()
    assert wrong(known, ledger, moment)


def test_what_was_invoiced_may_be_in_another_row_but_not_there_twice() -> None:
    ledger = a_ledger(an_invoice())
    moment, known = a_moment(ledger), Known(Choices())
    known.invoiced["fortnox:1:2"] = a_fields(ledger)
    rows = ledger["supplierInvoices"][0]["SupplierInvoiceRows"]
    rows.insert(1, a_row(Account=2641, Code="VAT"))
    assert wrong(known, ledger, moment) == []
    assert differing(known, ledger) == {}
    rows.append(a_row(Debit=Decimal(7)))
    assert wrong(known, ledger, moment)  # what is new is missing
    moment["expenses"] += a_moment(ledger)["expenses"][1:]
    assert wrong(known, ledger, moment) == []
    moment["expenses"] += a_moment(ledger)["expenses"][:1]
    assert "more than it should" in wrong(known, ledger, moment)[0]


def a_fields(ledger: dict[str, Any]) -> Any:
    (invoice,) = ledger["supplierInvoices"]
    return expenses_of(invoice, view_of(Choices(), ledger, a_moment(ledger)))["fortnox:1:2"]


def test_what_a_person_deleted_stays_deleted_until_its_row_changes() -> None:
    ledger = a_ledger(an_invoice())
    moment, known = a_moment(ledger), Known(Choices())
    assert wrong(known, ledger, moment) == []
    known.deleted["fortnox:1:2"] = Deleted(a_fields(ledger), "2026-10-22 10:00")
    assert wrong(known, ledger, moment)
    moment["expenses"].clear()
    assert wrong(known, ledger, moment) == []
    ledger["supplierInvoices"][0]["SupplierInvoiceRows"][1]["Debit"] = Decimal(7)
    assert wrong(known, ledger, moment)
