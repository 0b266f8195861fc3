"""The check of keys against docs/scale.md (`tests.keys`) finds what it is there to find."""

import pytest

from tests.keys import families, misplaced

COMPANIES = ("acme", "bolag")


@pytest.mark.parametrize(
    "key",
    [
        "mf:event:acme:e3",
        "mf:key-line:bolag/invoice/1001",
        "mf:mail:topic:acme:failed:x",
        "mf:mail:topic:_unconnected:failed:x",
        "mf:due",
        "mf:timetable:polls",
        "fortnox:rate:company/acme/24/5/second",
        "events\x06\x163",
        "_kombu.binding.mail",
        "redbeat::lock",
        "unacked_index",
    ],
)
def test_a_key_that_the_page_lists_is_in_its_place(key: str) -> None:
    assert misplaced([key], COMPANIES) == []


@pytest.mark.parametrize(
    "key",
    [
        "mf:event:e3:acme",  # does not begin with the company
        "mf:event:acmesson:e3",
        "mf:due:acme",  # a shared family
        "mf:news:acme",
        "mf:eventful:acme",
        "else",
    ],
)
def test_a_key_that_it_does_not_list_is_found(key: str) -> None:
    assert misplaced([key], COMPANIES) == [key]


def test_no_family_is_both_of_one_company_and_shared() -> None:
    both = {"audit", "mail:deferred"}  # who did what, in one company and in all; the mails, and when each is due
    assert families("Of one company") & families("Shared") == both
