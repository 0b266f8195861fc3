"""Which rows of a supplier invoice become expenses, what they say, and why the others do not."""

from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fortnox.models import SupplierInvoice
from mappers.expense import ExpenseRow, ProjectState, Rules, projects_needed, to_expenses, within
from messages import Message
from tests.unit.expense_factories import GOOD, a_row, a_supplier_invoice, payable, some_rules, vat


def rows_of(
    invoice: SupplierInvoice,
    rules: Rules | None = None,
    *,
    pending: bool = False,
    projects: Mapping[str, ProjectState] | None = None,
) -> tuple[ExpenseRow, ...]:
    known = {"1": GOOD, "2": GOOD} if projects is None else projects
    return to_expenses(invoice, rules or some_rules(), pending=pending, projects=known)


def only(invoice: SupplierInvoice, rules: Rules | None = None, **more: Any) -> ExpenseRow:
    """The row that counts, or would but for one reason."""
    return rows_of(invoice, rules, **more)[-1]


def test_a_row_becomes_an_expense_with_each_field_from_where_the_table_says() -> None:
    row = only(a_supplier_invoice())
    assert row.expense is not None
    assert row.expense.fields() == {
        "externalId": "fortnox:17:3",
        "projectNumber": "1",
        "date": "2026-11-02",
        "description": "Reglar",
        "supplierName": "Virke AB",
        "supplierInvoiceNumber": "F-7",
        "accountNumber": "4010",
        "amountExcludingVat": "1000.00",
        "currencyCode": "SEK",
        "billable": True,
    }


@pytest.mark.parametrize(
    ("invoice", "rules", "pending", "reason"),
    [
        (a_supplier_invoice(Cancelled=True), {}, False, Message("expense.cancelled")),
        (a_supplier_invoice(Booked=False), {}, False, Message("expense.not-posted")),
        (a_supplier_invoice(InvoiceDate=None), {}, False, Message("expense.no-date")),
        (a_supplier_invoice(), {}, True, Message("expense.awaits-approval")),
        (a_supplier_invoice(), {"requires": "approved"}, True, Message("expense.awaits-approval")),
        (
            a_supplier_invoice(),
            {"from_date": date(2026, 11, 3)},
            False,
            Message("expense.before-from-date", date=date(2026, 11, 2), start=date(2026, 11, 3)),
        ),
        (
            a_supplier_invoice(a_row(Account=5010)),
            {"accounts": ("4010", "4600-4699")},
            False,
            Message("expense.account-not-chosen", account="5010", chosen="4010, 4600-4699"),
        ),
        (
            a_supplier_invoice(a_row(Account=1210)),
            {"accounts": ()},
            False,
            Message("expense.no-cost-account", account="1210", accounts="4000-7999"),
        ),
        (a_supplier_invoice(a_row(Account=None)), {}, False, Message("expense.no-account")),
        (a_supplier_invoice(payable()), {"accounts": ("2000-9999",)}, False, Message("expense.payable")),
        (a_supplier_invoice(vat()), {"accounts": ("2000-9999",)}, False, Message("expense.vat")),
        (a_supplier_invoice(a_row(Account=2645)), {"accounts": ("2000-9999",)}, False, Message("expense.vat")),
        (a_supplier_invoice(a_row(Debit=0)), {}, False, Message("expense.amount-zero")),
        (a_supplier_invoice(a_row(Project="")), {}, False, Message("expense.no-project")),
    ],
)
def test_a_row_that_does_not_count_says_why(
    invoice: SupplierInvoice, rules: dict[str, Any], pending: bool, reason: Message
) -> None:
    row = only(invoice, some_rules(**rules), pending=pending)
    assert row.expense is None
    assert row.reason is not None
    assert row.reason.message == reason


@pytest.mark.parametrize(
    ("state", "reason"),
    [
        (ProjectState(in_moment=False, starts=False), Message("expense.project-unknown", project="1")),
        (ProjectState(in_moment=True, starts=False), Message("expense.project-no-start", project="1")),
    ],
)
def test_the_project_must_be_in_moment_and_start_in_fortnox(state: ProjectState, reason: Message) -> None:
    row = only(a_supplier_invoice(), projects={"1": state})
    assert row.reason is not None
    assert (row.expense, row.reason.message) == (None, reason)


@pytest.mark.parametrize(
    ("requires", "booked", "pending", "counts"),
    [
        ("postedAndApproved", True, False, True),
        ("postedAndApproved", True, True, False),
        ("postedAndApproved", False, False, False),
        ("posted", True, True, True),
        ("posted", False, False, False),
        ("approved", False, False, True),
        ("approved", True, True, False),
    ],
)
def test_what_a_supplier_invoice_must_be_is_the_companys_choice(
    requires: Any, booked: bool, pending: bool, counts: bool
) -> None:
    row = only(a_supplier_invoice(Booked=booked), some_rules(requires=requires), pending=pending)
    assert (row.expense is not None) is counts


def test_the_rows_own_project_goes_before_the_supplier_invoices() -> None:
    invoice = a_supplier_invoice(a_row(), a_row(Project="2"), Project="1")
    assert [row.project for row in rows_of(invoice)] == ["1", "2"]
    assert only(a_supplier_invoice(a_row(Project=""), Project="2")).project == "2"


@pytest.mark.parametrize(
    ("row", "text"),
    [
        (a_row(ItemDescription="  Reglar \n 45x95 "), "Reglar 45x95"),
        (a_row(ItemDescription="", TransactionInformation="Bygge norr"), "Bygge norr"),
        (a_row(ItemDescription=""), "Virke AB F-7"),
    ],
)
def test_the_description_is_the_rows_text_else_the_supplier_and_its_number(row: dict[str, Any], text: str) -> None:
    expense = only(a_supplier_invoice(row)).expense
    assert expense is not None
    assert expense.description == text


def test_without_any_name_the_description_is_the_given_number() -> None:
    expense = only(a_supplier_invoice(a_row(ItemDescription=""), SupplierName="", InvoiceNumber="")).expense
    assert expense is not None
    assert (expense.description, expense.supplier_name) == ("Leverantörsfaktura 17", None)


def test_foreign_currency_is_in_kronor_with_the_original_in_the_text() -> None:
    row = a_row(Debit="11420", DebitCurrency="1000")
    expense = only(a_supplier_invoice(payable("11420"), row, Currency="EUR", CurrencyRate="11.42")).expense
    assert expense is not None
    assert (expense.amount_excluding_vat, expense.currency_code) == (Decimal(11420), "SEK")
    assert expense.description == "Reglar (1000.00 EUR)"


def test_a_credit_note_is_negative_whichever_way_fortnox_writes_its_rows() -> None:
    booked_as_it_is = [payable("0") | {"Debit": "1250"}, a_row(Debit=0, Credit=1000)]
    written_as_an_invoice = [payable("1250"), a_row(Debit=1000)]
    without_a_code = [payable("1250") | {"Code": ""}, a_row(Debit=1000)]
    for rows in (booked_as_it_is, written_as_an_invoice, without_a_code):
        assert only(a_supplier_invoice(*rows, Credit=True)).amount == Decimal(-1000)


def test_a_row_that_is_credited_within_an_invoice_is_a_negative_expense() -> None:
    invoice = a_supplier_invoice(payable(), a_row(Debit=1000), a_row(Debit=0, Credit=200))
    assert [row.amount for row in rows_of(invoice)[1:]] == [Decimal(1000), Decimal(-200)]


@pytest.mark.parametrize(
    ("account", "accounts", "inside"),
    [
        (4010, ("4010",), True),
        (4011, ("4010",), False),
        (5000, ("4010", "5000-5999"), True),
        (5999, ("5000-5999",), True),
        (6000, ("5000-5999",), False),
    ],
)
def test_accounts_are_numbers_and_ranges(account: int, accounts: tuple[str, ...], inside: bool) -> None:
    assert within(account, accounts) is inside


# Laws

amounts = st.integers(-(10**9), 10**9).map(lambda ore: Decimal(ore).scaleb(-2))
any_row = st.builds(
    lambda account, code, debit, credit, project: a_row(
        Account=account, Code=code, Debit=str(debit), Credit=str(credit), Project=project
    ),
    st.sampled_from([None, 1210, 2440, 2641, 3740, 4010, 4600, 5010, 7999, 8000]),
    st.sampled_from(["", "", "", "TOT", "VAT", "FRT"]),
    amounts,
    amounts,
    st.sampled_from(["", "1", "2", "9"]),
)
invoices = st.builds(
    lambda rows, **fields: a_supplier_invoice(*rows, **fields),
    st.lists(any_row, min_size=1, max_size=8),
    Booked=st.booleans(),
    Cancelled=st.booleans(),
    Credit=st.booleans(),
    Currency=st.sampled_from(["SEK", "EUR"]),
    InvoiceDate=st.sampled_from(["2026-10-31", "2026-11-01", ""]),
    Project=st.sampled_from(["", "1"]),
)
rules = st.builds(
    Rules,
    accounts=st.sampled_from([(), ("4010",), ("4000-4999", "5010"), ("1000-9999",)]),
    billable=st.booleans(),
    from_date=st.sampled_from([None, date(2026, 11, 1)]),
    requires=st.sampled_from(["postedAndApproved", "posted", "approved"]),
)
states = st.builds(ProjectState, st.booleans(), st.booleans())


@given(invoices, rules, st.booleans(), st.fixed_dictionaries({"1": states, "2": states, "9": states}))
def test_each_row_has_either_an_expense_or_a_reason_and_nothing_is_asked_that_is_not_needed(
    invoice: SupplierInvoice, rules: Rules, pending: bool, projects: dict[str, ProjectState]
) -> None:
    needed = projects_needed(invoice, rules, pending=pending)
    rows = to_expenses(invoice, rules, pending=pending, projects={n: projects[n] for n in needed})
    assert [row.number for row in rows] == list(range(1, len(invoice.supplier_invoice_rows) + 1))
    assert all((row.expense is None) == bool(row.reason) for row in rows)
    assert set(needed) >= {row.project for row in rows if row.expense}
    again = to_expenses(invoice, rules, pending=pending, projects=projects)
    assert again == rows  # the same in, the same out; and what was not needed decides nothing


@given(invoices, rules, st.booleans(), st.fixed_dictionaries({"1": states, "2": states, "9": states}))
def test_an_expense_is_what_the_ledger_booked_to_the_ore_on_a_project_that_may_have_it(
    invoice: SupplierInvoice, rules: Rules, pending: bool, projects: dict[str, ProjectState]
) -> None:
    for row, booked in zip(
        to_expenses(invoice, rules, pending=pending, projects=projects), invoice.supplier_invoice_rows, strict=True
    ):
        if row.expense is None:
            continue
        assert abs(row.expense.amount_excluding_vat) == abs(booked.debit - booked.credit) != 0
        assert Decimal(row.expense.fields()["amountExcludingVat"]) == row.expense.amount_excluding_vat
        assert all(projects[row.expense.project_number])
        assert booked.code not in ("TOT", "VAT")
        assert not invoice.cancelled
        assert invoice.booked or rules.requires == "approved"
        assert not pending or rules.requires == "posted"
        assert rules.from_date is None or row.expense.date >= rules.from_date
