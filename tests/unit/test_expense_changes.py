"""What has to change in Moment, against a Moment of a few lines that does as it is told."""

from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from mappers.expense import to_expenses
from mappers.expense_changes import IN_DOUBT, WITHDRAWN, Action, Change, Sent, changes
from moment.expenses import Expense
from tests.unit.expense_factories import GOOD, a_row, a_supplier_invoice, some_rules


def an_expense(amount: str = "1000.00", *, billable: bool = True, row: int = 1) -> Expense:
    invoice = a_supplier_invoice(*[a_row(Debit=amount)] * row)
    rows = to_expenses(invoice, some_rules(billable=billable), pending=False, projects={"1": GOOD})
    expense = rows[-1].expense
    assert expense is not None
    return expense


def actions(wanted: dict[int, Expense], sent: dict[int, Sent]) -> list[tuple[int, Action]]:
    return [(change.row, change.action) for change in changes(wanted, sent)]


def test_new_is_created_changed_is_corrected_gone_is_withdrawn_and_the_same_costs_nothing() -> None:
    same, changed = an_expense(), an_expense("1200.00")
    assert actions({1: same}, {}) == [(1, Action.CREATE)]
    assert actions({1: same}, {1: Sent(same.digest)}) == []
    assert actions({1: changed}, {1: Sent(same.digest)}) == [(1, Action.CORRECT)]
    assert actions({}, {1: Sent(same.digest)}) == [(1, Action.WITHDRAW)]


def test_whether_it_is_billable_is_moments_once_it_is_there() -> None:
    assert actions({1: an_expense(billable=False)}, {1: Sent(an_expense(billable=True).digest)}) == []


def test_what_is_in_doubt_is_written_again_or_withdrawn() -> None:
    assert actions({1: an_expense()}, {1: Sent(IN_DOUBT)}) == [(1, Action.CORRECT)]
    assert actions({}, {1: Sent(IN_DOUBT)}) == [(1, Action.WITHDRAW)]


def test_what_a_person_was_told_of_an_invoiced_expense_is_not_told_twice() -> None:
    old, new, newer = an_expense(), an_expense("1200.00"), an_expense("1300.00")
    told = {1: Sent(old.digest, new.digest)}
    assert actions({1: new}, told) == []
    assert actions({1: old}, told) == []
    assert actions({1: newer}, told) == [(1, Action.CORRECT)]
    assert actions({}, told) == [(1, Action.WITHDRAW)]
    assert actions({}, {1: Sent(old.digest, WITHDRAWN)}) == []


def test_what_was_sent_reads_back_as_written() -> None:
    for one in (Sent("abc"), Sent(IN_DOUBT), Sent("abc", "def"), Sent("abc", WITHDRAWN)):
        assert Sent.read(str(one)) == one


expenses = st.builds(an_expense, st.integers(1, 10**9).map(lambda ore: str(Decimal(ore).scaleb(-2))))
ledgers = st.dictionaries(st.integers(1, 6), expenses, max_size=6)


@given(st.lists(ledgers, max_size=5), st.data())
def test_moment_has_what_is_wanted_whatever_came_before_and_wherever_a_process_died(
    history: list[dict[int, Expense]], data: st.DataObject
) -> None:
    moment: dict[int, str] = {}
    sent: dict[int, Sent] = {}

    def carry_out(change: Change) -> None:
        died = data.draw(st.sampled_from(["no", "no", "no", "before", "after"]), label="died")
        sent[change.row] = Sent(IN_DOUBT)
        if died == "before":
            return
        if change.expense is None:
            moment.pop(change.row, None)
        else:
            moment[change.row] = change.expense.digest
        if died == "after":
            return
        if change.expense is None:
            del sent[change.row]
        else:
            sent[change.row] = Sent(change.expense.digest)

    for wanted in history:
        for change in changes(wanted, sent):
            carry_out(change)
    final = history[-1] if history else {}
    for change in changes(final, sent):  # the look that nobody interrupts
        sent[change.row] = Sent(IN_DOUBT)
        if change.expense is None:
            moment.pop(change.row, None)
            del sent[change.row]
        else:
            moment[change.row] = change.expense.digest
            sent[change.row] = Sent(change.expense.digest)

    assert moment == {row: expense.digest for row, expense in final.items()}
    assert changes(final, sent) == ()
