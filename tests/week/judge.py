"""Compares Moment's expenses with what the rule makes of the ledger. Pure."""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from tests.week.rule import Choices, Document, Fields, View, as_compared, expenses_of, view_of

STOCKHOLM = ZoneInfo("Europe/Stockholm")
NIGHTLY_DAYS = 35

Expected = Mapping[str, Any] | None


class Deleted(NamedTuple):
    """What it was by the rule when a person deleted it in Moment, when its supplier invoice last changed, and how many
    views there had been."""

    then: Expected
    modified: str
    views: int = 1


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
    deleted: dict[str, "Deleted"] = field(default_factory=dict)  # in Moment
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
    invoices = {invoice["GivenNumber"]: invoice for invoice in ledger["supplierInvoices"]}
    found = {one["externalId"]: one for one in moment["expenses"]}
    told = []
    for external_id in sorted({*permitted, *found, *known.invoiced}):
        allowed = permitted.get(external_id, [None])
        if external_id in known.invoiced:
            allowed = [known.invoiced[external_id]]
        elif external_id in known.deleted:
            deleted, invoice = known.deleted[external_id], invoices[_number(external_id)]
            since = [expenses_of(invoice, view).get(external_id) for view in known.views[deleted.views - 1 :]]
            changed = invoice["modified"] != deleted.modified or any(one != deleted.then for one in since)
            if deleted.then in allowed:  # one that changed and changed back may have been noticed or not
                allowed = [None, *(allowed if changed else [])]
        there = as_compared(found[external_id]) if external_id in found else None
        if there not in allowed and (
            external_id in known.invoiced or _number(external_id) not in _with_invoiced(known)
        ):
            told.append(f"{external_id} is {_in_words(there)}; should be {' or '.join(map(_in_words, allowed))}")
    return [*told, *_moved(known, ledger, found), *_twice(moment), *_billable(known, found, moment)]


def _moved(known: Known, ledger: Document, found: Mapping[str, Any]) -> Iterator[str]:
    """Where something was invoiced, rows may have moved and it could not: what counts is what there is in all.

    Nothing is there more often than Fortnox has it or than it was invoiced. What is missing is what has become of
    something that was invoiced, which a person is told, or a person has deleted it.
    """
    for invoice in ledger["supplierInvoices"]:
        number = invoice["GivenNumber"]
        if number not in _with_invoiced(known):
            continue
        there = _contents({name: as_compared(one) for name, one in found.items()}, number)
        invoiced = _contents(known.invoiced, number)
        deleted = sum(_number(name) == number for name in known.deleted)
        views = [_contents(expenses_of(invoice, view), number) for view in known.views_since_a_look(invoice)]
        if all(there - (right | invoiced) for right in views):
            yield f"supplier invoice {number} has more than it should: {dict(there)}, of {dict(views[-1])}"
        if all((right - there).total() > (invoiced - right).total() + deleted for right in views):
            yield f"supplier invoice {number} has less than it should: {dict(there)}, of {dict(views[-1])}"


def _with_invoiced(known: Known) -> set[str]:
    return set(map(_number, known.invoiced))


def _number(external_id: str) -> str:
    return external_id.split(":")[1]


def _contents(expenses: Mapping[str, Fields], number: str) -> Counter[str]:
    """How often each thing is said of the supplier invoice, under whatever ids."""
    return Counter(
        _in_words(one | {"amountExcludingVat": f"{one['amountExcludingVat']:.2f}"})
        for external_id, one in expenses.items()
        if _number(external_id) == number
    )


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


def differing(known: Known, ledger: Document) -> dict[str, list[Expected]]:
    """Invoiced expenses that no row says any more, with what they may be by now."""
    told: dict[str, list[Expected]] = {}
    for invoice in ledger["supplierInvoices"]:
        views = [expenses_of(invoice, view) for view in known.views_since_a_look(invoice)]
        for external_id, as_invoiced in known.invoiced.items():
            if _number(external_id) == invoice["GivenNumber"] and all(as_invoiced not in v.values() for v in views):
                told[external_id] = [None, *views[-1].values()]
    return told


def _in_words(expense: Expected) -> str:
    return "not there" if expense is None else "(" + ", ".join(str(value) for value in expense.values()) + ")"
