"""What has to change in Moment, against a Moment of a few lines that does as it is told."""

from collections import Counter
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from mappers.expense import to_expenses
from mappers.expense_changes import (
    IN_DOUBT,
    WITHDRAWN,
    Action,
    Change,
    Sent,
    changes,
    moved_invoiced,
    next_change,
    place_of,
    plan,
    settled,
    unresolved,
)
from moment.expenses import Expense
from tests.unit.expense_factories import GOOD, a_row, a_supplier_invoice, some_rules


def an_expense(amount: str = "1000.00", *, billable: bool = True, row: int = 1) -> Expense:
    invoice = a_supplier_invoice(*[a_row(Debit=amount)] * row)
    rows = to_expenses(invoice, some_rules(billable=billable), pending=False, projects={"1": GOOD})
    expense = rows[-1].expense
    assert expense is not None
    return expense


def actions(wanted: dict[int, Expense], sent: dict[int, Sent]) -> list[tuple[int, Action]]:
    return [(change.place, change.action) for change in changes(wanted, sent)]


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
    for one in (Sent("abc"), Sent(IN_DOUBT), Sent("abc", "def"), Sent("abc", WITHDRAWN), Sent("abc", "def", 12)):
        assert Sent.read(str(one)) == one


def in_turn(wanted: dict[int, Expense], sent: dict[int, Sent]) -> list[tuple[int, Action]]:
    """All that is done, where nothing is refused."""
    sent, done = dict(sent), list[Change]()
    while (change := next_change(wanted, sent, done)) is not None:
        carry_out_in(sent, change)
        done.append(change)
    return [(change.place, change.action) for change in done]


def carry_out_in(sent: dict[int, Sent], change: Change) -> None:
    if change.expense is None:
        del sent[change.place]
    else:
        before = sent.get(change.place)
        sent[change.place] = Sent(change.expense.digest, moved=before.moved if before else None)


def test_rows_that_move_are_followed_without_an_amount_being_there_twice() -> None:
    a, b, c = (an_expense(f"{n}.00") for n in (1, 2, 3))
    assert in_turn({3: a, 4: b}, {2: Sent(a.digest), 3: Sent(b.digest)}) == [
        (2, Action.WITHDRAW),
        (3, Action.CORRECT),
        (4, Action.CREATE),
    ]
    assert in_turn({2: a, 3: b, 4: c}, {3: Sent(a.digest), 4: Sent(b.digest), 5: Sent(c.digest)}) == [
        (5, Action.WITHDRAW),
        (4, Action.CORRECT),
        (3, Action.CORRECT),
        (2, Action.CREATE),
    ]
    assert in_turn({2: b, 3: a}, {2: Sent(a.digest), 3: Sent(b.digest)}) == [(2, Action.CORRECT), (3, Action.CORRECT)]


def test_what_could_not_be_taken_from_its_old_place_is_not_made_at_the_new_one() -> None:
    a, b = an_expense("1.00"), an_expense("2.00")
    sent = {2: Sent(a.digest), 3: Sent(b.digest)}
    refused = next_change({3: a, 4: b}, sent, [])
    assert refused is not None
    assert refused.action is Action.WITHDRAW
    assert next_change({3: a, 4: b}, sent, [refused]) is None


def test_an_invoiced_expense_stands_for_its_row_wherever_that_is() -> None:
    a, b = an_expense("1.00"), an_expense("2.00")
    told = {2: Sent(a.digest, WITHDRAWN)}
    moved = {2: Sent(a.digest, moved=3)}
    assert moved_invoiced({3: a}, told) == moved
    assert changes({3: a}, moved) == ()
    assert moved_invoiced({2: b, 3: a}, {2: Sent(a.digest, b.digest)}) == moved
    assert place_of(2, moved) == 3  # free, as row 3 is at 2
    assert actions({2: b, 3: a}, moved) == [(3, Action.CREATE)]
    assert changes({3: b}, moved) == (Change(2, Action.CORRECT, b, 3),)  # and refused, and told of row 3
    assert unresolved({3: b}, {2: Sent(a.digest, b.digest, 3)}).keys() == {2}
    assert moved_invoiced({5: a}, moved) == {2: Sent(a.digest, moved=5)}
    assert moved_invoiced({2: a}, moved) == {2: Sent(a.digest, moved=2)}


def test_a_reported_difference_is_settled_when_fortnox_says_again_what_was_invoiced() -> None:
    old, new = an_expense(), an_expense("1200.00")
    assert settled({1: old}, {1: Sent(old.digest, new.digest)}) == {1: Sent(old.digest)}
    assert settled({3: old}, {1: Sent(old.digest, new.digest, moved=3)}) == {1: Sent(old.digest, moved=3)}
    assert settled({1: new}, {1: Sent(old.digest, new.digest)}) == {}
    assert settled({1: old}, {1: Sent(old.digest)}) == {}


def test_of_two_equal_rows_each_has_its_own_expense() -> None:
    a = an_expense("1.00")
    assert moved_invoiced({2: a, 3: a}, {2: Sent(a.digest, WITHDRAWN), 3: Sent(a.digest)}) == {}
    both = {2: Sent(a.digest, WITHDRAWN), 3: Sent(a.digest, WITHDRAWN)}
    assert moved_invoiced({3: a, 4: a}, both) == {2: Sent(a.digest, moved=4)}


def test_one_that_is_invoiced_and_back_at_its_row_is_not_taken_from_there() -> None:
    a, b = an_expense("1.00"), an_expense("2.00")
    back = {1: Sent(b.digest, WITHDRAWN), 2: Sent(a.digest, moved=2), 3: Sent(a.digest, WITHDRAWN)}
    assert moved_invoiced({2: a}, back) == {}
    assert changes({2: a}, back) == ()


amounts = st.integers(1, 4).map(lambda kronor: an_expense(f"{kronor}.00"))
expenses = st.builds(an_expense, st.integers(1, 10**9).map(lambda ore: str(Decimal(ore).scaleb(-2)))) | amounts
ledgers = st.dictionaries(st.integers(1, 6), expenses, max_size=6)


class Moment:
    """Expenses by place, some of them invoiced. Whoever writes may die before or after it."""

    def __init__(self, data: st.DataObject) -> None:
        self.data = data
        self.expenses: dict[int, str] = {}
        self.invoiced: set[int] = set()

    def agrees(self, wanted: dict[int, Expense], sent: dict[int, Sent], deaths: tuple[str, ...]) -> None:
        tried: list[Change] = []
        while True:
            moved, change = plan(wanted, sent, tried)
            sent.update(moved)
            if change is None:
                return
            tried.append(change)
            before = sent.get(change.place)
            row = before.moved if before else None
            sent[change.place] = Sent(IN_DOUBT, moved=row)
            died = self.data.draw(st.sampled_from(deaths), label="died")
            if died == "before":
                return
            if change.place in self.invoiced:
                known = before.digest if before and before.digest != IN_DOUBT else self.expenses[change.place]
                sent[change.place] = Sent(known, change.expense.digest if change.expense else WITHDRAWN, row)
                continue
            if change.expense is None:
                self.expenses.pop(change.place, None)
            else:
                self.expenses[change.place] = change.expense.digest
            if died == "after":
                return
            sent[change.place] = Sent(IN_DOUBT, moved=row)
            carry_out_in(sent, change)


@given(st.lists(ledgers, max_size=5), st.data())
def test_moment_has_what_is_wanted_whatever_came_before_and_wherever_a_process_died(
    history: list[dict[int, Expense]], data: st.DataObject
) -> None:
    moment, sent = Moment(data), dict[int, Sent]()
    for wanted in history:
        moment.agrees(wanted, sent, ("no", "no", "no", "before", "after"))
    final = history[-1] if history else {}
    moment.agrees(final, sent, ("no",))  # the look that nobody interrupts

    assert moment.expenses == {row: expense.digest for row, expense in final.items()}
    assert changes(final, sent) == ()


@given(st.lists(st.dictionaries(st.integers(1, 6), amounts, max_size=6), min_size=1, max_size=6), st.data())
def test_what_was_invoiced_is_never_there_a_second_time(history: list[dict[int, Expense]], data: st.DataObject) -> None:
    moment, sent = Moment(data), dict[int, Sent]()
    for wanted in history:
        moment.agrees(wanted, sent, ("no",))
        assert changes(wanted, sent) == ()
        there, right = Counter(moment.expenses.values()), Counter(one.digest for one in wanted.values())
        invoiced = Counter(moment.expenses[place] for place in moment.invoiced)
        assert not there - (right | invoiced)
        assert (right - there).total() <= len(unresolved(wanted, sent))  # each of those stands for one of them
        if moment.expenses:
            moment.invoiced |= data.draw(st.sets(st.sampled_from(sorted(moment.expenses))), label="invoiced")
