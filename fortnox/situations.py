"""The situations that can stop a transfer in Fortnox: what happens next, and who acts. Pure.

A situation's name is stable: events and mails carry it, and it names a page of docs/situations. The catalogues have its
texts, `fortnox.<name>.reason` and `fortnox.<name>.remedy`. Its error class says what happens next (`fortnox.errors`).
"""

from typing import Literal, NamedTuple

from fortnox import errors as e
from messages import Message

Whom = Literal["accountant", "administrator", "project", "operator", "nobody"]  # who carries out the remedy


class Explanation(NamedTuple):
    """Why a transfer failed and what to do, in a sentence or two each, for an accountant."""

    reason: Message
    remedy: Message


class Situation(NamedTuple):
    error: type[e.FortnoxError]
    whom: Whom

    @property
    def acts(self) -> Message:
        """Who carries out the remedy."""
        return Message(f"fortnox.whom.{self.whom}")

    @property
    def afterwards(self) -> Message:
        """What happens afterwards without anybody acting."""
        return Message(f"fortnox.afterwards.{self.ending}")

    @property
    def ending(self) -> str:
        """How the event ends: fail, prerequisite, access, reconnect or retry."""
        if issubclass(self.error, e.AccessMissing):
            return "access"
        endings = {e.Outcome.HOLD: "prerequisite", e.Outcome.RECONNECT: "reconnect", e.Outcome.RETRY: "retry"}
        return endings.get(self.error.outcome, "fail")


def explanation(name: str) -> Explanation:
    """Return a situation's reason and remedy."""
    return Explanation(Message(f"fortnox.{name}.reason"), Message(f"fortnox.{name}.remedy"))


SITUATIONS: dict[str, Situation] = {
    # Something else must exist first
    "customer-unknown": Situation(e.UnknownCustomer, "project"),
    "customer-deleted": Situation(e.NumberReserved, "project"),
    "project-unknown": Situation(e.UnknownProject, "project"),
    "project-period": Situation(e.UnknownProject, "project"),
    "project-ended": Situation(e.UnknownProject, "project"),
    "invoice-unknown": Situation(e.UnknownInvoice, "project"),
    # Numbers
    "number-taken": Situation(e.NumberTaken, "accountant"),
    "ocr-taken": Situation(e.NumberTaken, "accountant"),
    "ocr-invalid": Situation(e.ValueRefused, "accountant"),
    # Periods
    "period-locked": Situation(e.PeriodLocked, "accountant"),
    "financial-year-missing": Situation(e.ConfigurationNeeded, "accountant"),
    # Accounts, VAT, currency
    "account-unknown": Situation(e.ConfigurationNeeded, "accountant"),
    "account-inactive": Situation(e.ConfigurationNeeded, "accountant"),
    "default-account-missing": Situation(e.ConfigurationNeeded, "accountant"),
    "vat-rate": Situation(e.ConfigurationNeeded, "accountant"),
    "vat-account": Situation(e.ConfigurationNeeded, "accountant"),
    "vat-number": Situation(e.ValueRefused, "project"),
    "currency-unknown": Situation(e.ConfigurationNeeded, "accountant"),
    "project-mandatory": Situation(e.ConfigurationNeeded, "accountant"),
    "project-forbidden": Situation(e.ConfigurationNeeded, "accountant"),
    "cost-centre": Situation(e.ConfigurationNeeded, "accountant"),
    "register-missing": Situation(e.ConfigurationNeeded, "accountant"),
    # Posting
    "voucher-series": Situation(e.ConfigurationNeeded, "accountant"),
    "warehouse": Situation(e.ConfigurationNeeded, "accountant"),
    "warehouse-fault": Situation(e.ConfigurationNeeded, "accountant"),
    "cash-method": Situation(e.ConfigurationNeeded, "accountant"),
    "document-locked": Situation(e.Rejected, "accountant"),
    "posting-refused": Situation(e.ConfigurationNeeded, "accountant"),
    # Values
    "characters": Situation(e.ValueRefused, "project"),
    "value": Situation(e.ValueRefused, "project"),
    "country": Situation(e.ValueRefused, "project"),
    "rows": Situation(e.ValueRefused, "project"),
    "row-text": Situation(e.ValueRefused, "project"),
    "file": Situation(e.FileRefused, "accountant"),
    # Access: only what needs the closed part waits
    "project-module-off": Situation(e.MissingLicence, "administrator"),
    "scope": Situation(e.MissingScope, "administrator"),
    "licence": Situation(e.MissingLicence, "administrator"),
    "api-licence": Situation(e.MissingLicence, "administrator"),
    # The connection
    "service-account": Situation(e.ConfigurationNeeded, "administrator"),
    "code-used": Situation(e.CodeRefused, "administrator"),
    "grant-dead": Situation(e.GrantDead, "administrator"),
    "login": Situation(e.TokenRefused, "nobody"),
    "client": Situation(e.ClientRefused, "operator"),
    # Faults of the integration and of Fortnox
    "request": Situation(e.RequestRefused, "operator"),
    "fortnox-fault": Situation(e.Unavailable, "nobody"),
}
