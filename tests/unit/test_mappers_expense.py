"""Which rows of a supplier invoice become expenses, what they say, and why the others do not."""

from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fortnox.models import SupplierInvoice
from mappers.expense import (
    ExpenseRow,
    ProjectState,
    Rules,
    projects_needed,
    to_expenses,
    unreadable_rows,
    within,
)
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


# What Fortnox does not say plainly


def an_article(total: str, **overrides: Any) -> dict[str, Any]:
    return a_row(ArticleNumber="R-45", Debit=0, Total=total, **overrides)


def amounts_of(invoice: SupplierInvoice, **rules: Any) -> list[Decimal]:
    return [row.expense.amount_excluding_vat for row in rows_of(invoice, some_rules(**rules)) if row.expense]


def test_a_row_with_nothing_in_debit_and_credit_costs_its_total_where_the_invoice_does_not_add_up_without() -> None:
    assert amounts_of(a_supplier_invoice(payable(), vat(), an_article("1000"))) == [Decimal(1000)]
    assert amounts_of(a_supplier_invoice(payable(), vat(), a_row(Debit=600), an_article("400"))) == [600, 400]
    assert amounts_of(a_supplier_invoice(an_article("1000"))) == [Decimal(1000)]
    assert amounts_of(a_supplier_invoice(payable(), an_article("1000"), Credit=True)) == [Decimal(-1000)]
    foreign = a_supplier_invoice(payable("11420"), an_article("1000"), Currency="EUR", CurrencyRate="11.42")
    assert amounts_of(foreign) == [Decimal("11420.00")]
    per_hundred = a_supplier_invoice(an_article("1000"), Currency="JPY", CurrencyRate="7.1", CurrencyUnit=100)
    assert amounts_of(per_hundred) == [Decimal("71.00")]


def test_a_row_that_books_nothing_costs_nothing_whatever_its_total_says() -> None:
    invoice = a_supplier_invoice(payable(), vat(), a_row(), an_article("1000"))
    assert amounts_of(invoice) == [Decimal(1000)]
    assert rows_of(invoice)[-1].reason == ("amount_0", Message("expense.amount-zero"))


def test_the_cost_of_a_reverse_charge_purchase_counts_once() -> None:
    vat_rows = [a_row(Account=2645, Debit=250), a_row(Account=2614, Debit=0, Credit=250)]
    bases = [a_row(Account=4535, Debit=1000), a_row(Account=4598, Debit=0, Credit=1000)]
    every_cost: dict[str, Any] = {"accounts": ()}
    with_bases = a_supplier_invoice(payable("1000"), *vat_rows, *bases, a_row(Account=5420))
    assert amounts_of(with_bases, **every_cost) == [Decimal(1000)]
    assert amounts_of(with_bases, accounts=("4535", "5420")) == [Decimal(1000)]
    assert [row.reason and row.reason.code for row in rows_of(with_bases, some_rules(**every_cost))[3:5]] == [
        "reverse_charge_base"
    ] * 2
    alone = a_supplier_invoice(payable("1000"), *vat_rows, a_row(Account=4535))
    assert amounts_of(alone, **every_cost) == [Decimal(1000)]
    two_bases = [a_row(Account=4535, Debit=600), a_row(Account=4516, Debit=400), bases[1]]
    assert amounts_of(a_supplier_invoice(payable("1000"), *two_bases, a_row()), **every_cost) == [Decimal(1000)]
    direct = [a_row(Account=4535, Debit=70), *bases]  # one is the cost itself, the other a base
    assert amounts_of(a_supplier_invoice(payable("1070"), *direct, a_row()), **every_cost) == [70, 1000]
    note = [a_row(Account=4535, Debit=0, Credit=1000), a_row(Account=4598), a_row(Debit=0, Credit=1000)]
    credited = payable("0") | {"Debit": "1000"}
    assert amounts_of(a_supplier_invoice(credited, *note, Credit=True), **every_cost) == [Decimal(-1000)]


def test_an_adjustment_that_no_base_account_explains_counts_as_it_is_booked() -> None:
    rows = [a_row(Account=4535, Debit=900), a_row(Account=4598, Debit=0, Credit=1000), a_row()]
    assert sum(amounts_of(a_supplier_invoice(*rows), accounts=())) == Decimal(900)


HIDDEN = "API_NORIGHT"


@pytest.mark.parametrize(
    ("invoice", "field"),
    [
        (a_supplier_invoice(a_row(Project=HIDDEN)), "Project"),
        (a_supplier_invoice(a_row(Project=""), Project=HIDDEN), "Project"),
        (a_supplier_invoice(a_row(Account=HIDDEN)), "Account"),
        (a_supplier_invoice(a_row(Code=HIDDEN)), "Code"),
        (a_supplier_invoice(a_row(Debit=HIDDEN)), "Debit"),
        (a_supplier_invoice(payable(), vat(), an_article(HIDDEN)), "Total"),
        (a_supplier_invoice(an_article("1"), Currency="EUR", CurrencyRate=HIDDEN), "CurrencyRate"),
        (a_supplier_invoice(an_article("1"), Currency="EUR", CurrencyRate="7", CurrencyUnit=HIDDEN), "CurrencyUnit"),
        (a_supplier_invoice(payable() | {"Credit": HIDDEN}, a_row()), "Credit"),
        (a_supplier_invoice(InvoiceDate=HIDDEN), "InvoiceDate"),
        (a_supplier_invoice(Booked=HIDDEN), "Booked"),
        (a_supplier_invoice(Cancelled=HIDDEN), "Cancelled"),
        (a_supplier_invoice(Credit=HIDDEN), "Credit"),
    ],
)
def test_what_fortnox_does_not_let_us_read_is_told_and_never_taken_for_a_value(
    invoice: SupplierInvoice, field: str
) -> None:
    row = only(invoice)
    assert row.unclear
    assert row.reason == ("hidden", Message("expense.hidden-field", field=field))
    assert projects_needed(invoice, some_rules(), pending=False) == ()


@pytest.mark.parametrize(
    ("overrides", "field"),
    [
        ({"InvoiceDate": "2026-13-45"}, "InvoiceDate"),
        ({"InvoiceDate": "0001-01-01"}, "InvoiceDate"),
        ({"InvoiceDate": "9999-12-31"}, "InvoiceDate"),
        ({"InvoiceDate": 20261102}, "InvoiceDate"),
        ({"InvoiceDate": {}}, "InvoiceDate"),
        ({"Booked": "perhaps"}, "Booked"),
        ({"Credit": []}, "Credit"),
        ({"SupplierInvoiceRows": [a_row(Debit="1E+999999")]}, "Debit"),
        ({"SupplierInvoiceRows": [a_row(Debit="1E+30")]}, "Debit"),
        ({"SupplierInvoiceRows": [a_row(Debit="NaN")]}, "Debit"),
        ({"SupplierInvoiceRows": [a_row(Account=10**300)]}, "Account"),
        ({"SupplierInvoiceRows": [a_row(Project=["1"])]}, "Project"),
        ({"SupplierInvoiceRows": [a_row(Project="1" * 1001)]}, "Project"),
    ],
)
def test_a_value_that_makes_no_sense_is_told_of_its_supplier_invoice(overrides: dict[str, Any], field: str) -> None:
    row = only(a_supplier_invoice(**overrides))
    assert row.unclear
    assert row.reason == ("unreadable", Message("expense.unreadable-field", field=field))


@pytest.mark.parametrize("rows", ["nothing", {"Account": 4010}, ["a row"], HIDDEN])
def test_rows_that_cannot_be_read_at_all_are_told(rows: Any) -> None:
    invoice = a_supplier_invoice(SupplierInvoiceRows=rows)
    assert rows_of(invoice) == ()
    assert unreadable_rows(invoice) is not None
    assert unreadable_rows(a_supplier_invoice()) is None


def test_what_decides_nothing_may_be_hidden_or_odd() -> None:
    strange: dict[str, Any] = {"DueDate": "0000-00-00", "Balance": HIDDEN, "Total": "1E+99", "Currency": HIDDEN}
    row = only(a_supplier_invoice(a_row(CostCenter=HIDDEN), SupplierName=HIDDEN, **strange))
    assert row.expense is not None
    assert row.expense.supplier_name is None
    article = an_article(HIDDEN, Account=5010)
    for rows in (
        [payable() | {"Project": HIDDEN}, a_row()],
        [a_row(Account=5010, Project=HIDDEN), a_row()],
        [payable(), vat(), article, a_row()],
    ):
        assert not any(row.unclear for row in rows_of(a_supplier_invoice(*rows)))
    for off in ({"Cancelled": True}, {"Booked": False}):
        assert not only(a_supplier_invoice(a_row(Project=HIDDEN), InvoiceDate=HIDDEN, **off)).unclear


@pytest.mark.parametrize(
    ("account", "accounts", "inside"),
    [
        (4010, ("4010",), True),
        (4011, ("4010",), False),
        (5000, ("4010", "5000-5999"), True),
        (5999, ("5000-5999",), True),
        (6000, ("5000-5999",), False),
        (5999, ("5999-5000",), True),
        (5500, ("4010", "5999-5000"), True),
        (4999, ("5999-5000",), False),
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
