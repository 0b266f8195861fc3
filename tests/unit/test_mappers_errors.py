"""Errors cross process boundaries and tell a person what to do."""

import pickle
from decimal import Decimal

import pytest

from mappers import errors
from mappers.errors import AccountSum, TotalsDiffer, Unmappable
from messages import Message

PLAIN = [
    kind
    for kind in vars(errors).values()
    if isinstance(kind, type) and issubclass(kind, Unmappable) and kind is not TotalsDiffer
]


@pytest.mark.parametrize("kind", PLAIN)
def test_an_error_survives_pickling(kind: type[Unmappable]) -> None:
    error = kind("project.endDate", "2026-10-31", Message("project.ends-before-start"), Message("mend"))
    copy = pickle.loads(pickle.dumps(error))
    assert type(copy) is kind
    assert vars(copy) == vars(error)
    assert str(copy) == str(error) == "project.endDate: project.ends-before-start"


def test_the_difference_of_totals_survives_pickling() -> None:
    sums = (AccountSum("3010", Decimal(25), Decimal("10000.00")),)
    error = TotalsDiffer(Decimal("13000.00"), Decimal("12500.00"), "SEK", sums)
    copy = pickle.loads(pickle.dumps(error))
    assert vars(copy) == vars(error)
    assert str(copy) == str(error)


def test_the_tree_in_the_docstring_is_the_tree() -> None:
    for kind in [*PLAIN, TotalsDiffer]:
        assert kind.__name__ in (errors.__doc__ or "")
        assert kind.__doc__
