"""What is wrong with a connection, decided purely: every problem, what it stops, and when nothing is left."""

from decimal import Decimal
from typing import Any

import pytest

from fortnox import errors as e
from fortnox.errors import Details
from fortnox.models import AccountInformation, FinancialYear
from messages.catalogue import say
from moment.events import Integration
from stores import ConnectionProblem, UsedAccount
from tasks.checks import LedgerSetup, problems, stopped
from tasks.flows import SCOPES


def chosen(**given: Any) -> Integration:
    return Integration.model_validate({"errorEmail": "ekonomi@acme.example"} | given)


def account(number: int, **fields: Any) -> AccountInformation:
    return AccountInformation.model_validate({"Number": number, "Active": True, "VATCode": "MP1"} | fields)


YEAR = FinancialYear.model_validate({"Id": 1, "AccountingMethod": "ACCRUAL"})
CASH = FinancialYear.model_validate({"Id": 1, "AccountingMethod": "CASH"})
GOOD: dict[str, Any] = {
    "scopes": frozenset(SCOPES),
    "years": (YEAR,),
    "accounts": {3010: account(3010), 4010: account(4010), 5410: account(5410), 5460: account(5460, Active=False)},
}
EXPENSES = {"enabled": True, "accountNumbers": ["4010", "5400-5499"]}


def found(**given: Any) -> LedgerSetup:
    return LedgerSetup(**(GOOD | given))


def told(integration: Integration, what: LedgerSetup) -> list[ConnectionProblem]:
    return list(problems(integration, what))


def test_nothing_is_told_where_nothing_is_wrong() -> None:
    used = frozenset({UsedAccount(3010, Decimal(25))})
    assert told(chosen(expenses=EXPENSES), found(used=used)) == []


def test_without_chosen_accounts_every_cost_is_brought_back_so_none_is_missing() -> None:
    assert told(chosen(expenses={"enabled": True}), found(accounts={3010: account(3010)})) == []


def test_what_fortnox_did_not_say_is_no_problem() -> None:
    assert told(chosen(expenses=EXPENSES), LedgerSetup()) == []


@pytest.mark.parametrize(
    ("integration", "what", "words", "stops"),
    [
        (chosen(), found(scopes=frozenset(SCOPES) - {"invoice"}), "lacks invoice", ("invoices",)),
        (chosen(), found(scopes=frozenset(SCOPES) - {"currency"}), "lacks currency", ()),
        (chosen(), found(years=(CASH,)), "cash method", ("invoices",)),
        (chosen(), found(years=()), "no financial year", ()),
        (
            chosen(),
            found(refused={"projects": e.MissingLicence(Details(situation="project-module-off"))}),
            "Projects cannot be read",
            ("projects",),
        ),
        (
            chosen(),
            found(refused={"company": e.MissingLicence(Details(situation="licence"))}),
            "no licence",
            ("customers", "invoices", "projects"),
        ),
        (chosen(serviceAccount=True), found(rotating=True), "not a service account's", ()),
        (chosen(expenses={"enabled": True, "accountNumbers": ["5460"]}), found(), ": 5460.", ("expenses",)),
        (chosen(expenses={"enabled": True, "accountNumbers": ["4010", "9999"]}), found(), ": 9999.", ()),
        (chosen(expenses={"enabled": True, "accountNumbers": ["5460-5460"]}), found(), "5460-5460", ("expenses",)),
        (chosen(), found(used=frozenset({UsedAccount(3999, Decimal(25))})), "does not have: 3999", ()),
        (chosen(), found(used=frozenset({UsedAccount(5460, Decimal(25))})), "not active in Fortnox: 5460", ()),
        (chosen(), found(used=frozenset({UsedAccount(3010, Decimal(6))})), "3010 (6 %)", ()),
        (chosen(), found(rounding_account=3740, company="acme"), "Rounding is booked on account 3740", ()),
        (chosen(), found(rounding_account=5460), "Rounding is booked on account 5460", ()),
        (chosen(errorEmail="nobody"), found(), "“nobody” is not an address", ()),
        (chosen(errorEmail=None), found(), "no address", ()),
    ],
)
def test_a_problem_names_what_is_wrong_what_to_do_and_what_it_stops(
    integration: Integration, what: LedgerSetup, words: str, stops: tuple[str, ...]
) -> None:
    (problem,) = told(integration, what)
    assert words in say(problem.what)
    assert problem.remedy
    assert problem.stops == stops


def test_the_remedy_for_a_rounding_account_names_the_setting() -> None:
    (problem,) = told(chosen(), found(rounding_account=3740, company="acme"))
    assert "companies settings acme roundingAccount=" in say(problem.remedy)
    assert told(chosen(), found(rounding_account=3010)) == []


def test_an_unusual_rate_is_told() -> None:
    what = found(accounts={3010: account(3010, VATCode="")}, used=frozenset({UsedAccount(3010, Decimal("8.5"))}))
    (problem,) = told(chosen(), what)
    assert "8.5 %" in say(problem.what)


def test_what_is_not_chosen_is_not_looked_at() -> None:
    only_customers = chosen(transfers={"customers": True, "projects": False, "invoices": False})
    assert told(only_customers, found(years=(CASH,), scopes=frozenset(SCOPES) - {"invoice", "supplierinvoice"})) == []


def test_it_is_an_error_only_where_nothing_chosen_can_work() -> None:
    cash = told(chosen(), found(years=(CASH,)))
    assert not stopped(chosen(), cash)
    assert stopped(chosen(transfers={"customers": False, "projects": False, "invoices": True}), cash)
    assert not stopped(chosen(transfers={"customers": False, "projects": False, "invoices": False}), cash)


def test_what_stops_most_comes_first_and_many_accounts_are_counted() -> None:
    used = frozenset(UsedAccount(number, Decimal(25)) for number in range(6000, 6015))
    first, second = told(chosen(), found(years=(CASH,), used=used))
    assert "cash" in say(first.what)
    assert "6009, and 5 more" in say(second.what)
