"""What a company has chosen about its expenses. Pure."""

from delivery.context import DISABLED
from mappers.expense import Rules
from messages import Message
from ordering import Skipped
from stores import CompanySettings, Connection

SWITCHED_OFF = Skipped(Message("expenses.switched-off"))


def switched_off(connection: Connection) -> Skipped | None:
    """Return the outcome of a poll where the company wants none, else None."""
    if connection.state == "disabled":
        return DISABLED
    return None if connection.integration.expenses.enabled else SWITCHED_OFF


def rules_of(connection: Connection, settings: CompanySettings, ledger: str) -> Rules:
    """Return the rules by which rows count. `ledger`: as in `ExpenseStore`."""
    chosen = connection.integration.expenses
    return Rules(
        accounts=chosen.account_numbers,
        cost_accounts=tuple(settings.cost_accounts.split(",")),
        billable=chosen.billable_by_default,
        from_date=chosen.from_date,
        requires=settings.expense_requires,
        currency=settings.ledger_currency,
        ledger=ledger,
    )
