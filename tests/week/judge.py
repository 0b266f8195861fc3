"""Compares Moment's expenses with what the rule makes of the ledger. Pure."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from tests.week.rule import Choices, Document, Fields, View, as_compared, expenses_of, view_of

STOCKHOLM = ZoneInfo("Europe/Stockholm")
NIGHTLY_DAYS = 35

Expected = Mapping[str, Any] | None


@dataclass
class Known:
    """What an observer of one company knows beside the ledger.

    Projects that appear and choices that change show in no supplier invoice's date of change. They count from the next
    look, which the reconciliation promises: until then a row may be as any view since makes it.
    """

    choices: Choices
    views: list[View] = field(default_factory=list)
    looks: list[tuple[str, int]] = field(default_factory=list)  # all changed since that minute: judged by that view
    invoiced: dict[str, Fields] = field(default_factory=dict)  # as they were then, and stay
    deleted: dict[str, tuple[Expected, str]] = field(default_factory=dict)  # in Moment: by the rule then; last change
    billable: dict[str, tuple[bool, int]] = field(
        default_factory=dict
    )  # a person's say, and how often withdrawn before

    def saw(self, ledger: Document, moment: Document) -> View:
        """Takes note of the view as it now is."""
        view = view_of(self.choices, ledger, moment)
        if not self.views or self.views[-1] != view:
            self.views.append(view)
        return view

    def looked_again(self, now: datetime, days: int) -> None:
        """Everything that changed in so many days has been looked at by the present view."""
        since = (now.astimezone(STOCKHOLM) - timedelta(days=days)).strftime("%Y-%m-%d %H:%M")
        self.looks.append((since, len(self.views) - 1))

    def views_since_a_look(self, invoice: Document) -> list[View]:
        looks = [index for since, index in self.looks if invoice["modified"] > since]
        return self.views[max(looks, default=0) :]


def wrong(known: Known, ledger: Document, moment: Document) -> list[str]:
    """Each expense that is not as it should be."""
    known.saw(ledger, moment)
    permitted = _permitted(known, ledger)
    modified = {invoice["GivenNumber"]: invoice["modified"] for invoice in ledger["supplierInvoices"]}
    found = {one["externalId"]: one for one in moment["expenses"]}
    told = []
    for external_id in sorted({*permitted, *found, *known.invoiced}):
        allowed = permitted.get(external_id, [None])
        if external_id in known.invoiced:
            allowed = [known.invoiced[external_id]]
        elif external_id in known.deleted:
            then, last_change = known.deleted[external_id]
            if then in allowed:  # one that changed and changed back may have been noticed or not
                allowed = [None, *([] if modified[external_id.split(":")[1]] == last_change else allowed)]
        there = as_compared(found[external_id]) if external_id in found else None
        if there not in allowed:
            told.append(f"{external_id} is {_in_words(there)}; should be {' or '.join(map(_in_words, allowed))}")
    return [*told, *_twice(moment), *_billable(known, found, moment)]


def _permitted(known: Known, ledger: Document) -> dict[str, list[Expected]]:
    """What each expense may be: one thing, unless something is left to the reconciliation."""
    permitted: dict[str, list[Expected]] = {}
    for invoice in ledger["supplierInvoices"]:
        made = [expenses_of(invoice, view) for view in known.views_since_a_look(invoice)]
        for external_id in {name for one in made for name in one}:
            allowed: list[Expected] = []
            for one in made:
                if one.get(external_id) not in allowed:
                    allowed.append(one.get(external_id))
            permitted[external_id] = allowed
    return permitted


def _twice(moment: Document) -> Iterator[str]:
    for one in moment["expenses"]:
        if one["writes"]["POST"] != 1:
            yield f"{one['externalId']} was made {one['writes']['POST']} times"


def _billable(known: Known, found: Mapping[str, Any], moment: Document) -> Iterator[str]:
    for external_id, one in found.items():
        said, withdrawn = known.billable.get(external_id, (known.choices.billable, 0))
        if moment["deletedExpenses"].count(external_id) > withdrawn:
            said = known.choices.billable
        if one["billable"] is not said:
            yield f"{external_id} is billable: {one['billable']}; should be {said}"


def differing(known: Known, ledger: Document) -> dict[str, Expected]:
    """Invoiced expenses that would be another by now, with what they would be."""
    permitted = _permitted(known, ledger)
    return {
        external_id: allowed[-1]
        for external_id, as_invoiced in known.invoiced.items()
        if as_invoiced not in (allowed := permitted.get(external_id, [None]))
    }


def _in_words(expense: Expected) -> str:
    return "not there" if expense is None else "(" + ", ".join(str(value) for value in expense.values()) + ")"
