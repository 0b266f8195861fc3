"""Which permissions a company is asked for, and what is told where its grant lacks some."""

from datetime import UTC, datetime
from typing import Any

import pytest

from delivery.consent import problems_of, scopes_for
from moment.events import Integration
from stores.connections import Connection
from tasks.flows import SCOPES

CHOSEN = {"payments": {"enabled": True}}
NO_INVOICES = {"transfers": {"customers": True, "projects": True, "invoices": False}}


def an_integration(**given: Any) -> Integration:
    return Integration.model_validate(given)


def a_connection(*lacking: str, state: str = "connected", **given: Any) -> Connection:
    return Connection(
        company="acme",
        state=state,  # type: ignore[arg-type]
        integration=an_integration(**given),
        connected_at=datetime(2026, 11, 1, tzinfo=UTC),
        scopes=tuple(one for one in SCOPES if one not in lacking),
    )


@pytest.mark.parametrize(
    ("chosen", "not_asked"),
    [({}, {"payment"}), (CHOSEN, set()), (NO_INVOICES, {"payment", "settings"}), (NO_INVOICES | CHOSEN, {"settings"})],
)
def test_a_permission_of_one_choice_is_asked_for_where_the_company_made_it(
    chosen: dict[str, Any], not_asked: set[str]
) -> None:
    assert scopes_for(an_integration(**chosen)) == tuple(one for one in SCOPES if one not in not_asked)


def test_the_operators_own_permissions_are_asked_for_too_each_once() -> None:
    assert scopes_for(an_integration(), ("costcenter", "invoice")) == (*scopes_for(an_integration()), "costcenter")


@pytest.mark.parametrize(
    ("lacking", "chosen", "told"),
    [
        ((), {}, []),
        (("settings",), {}, [("settings", ())]),  # a grant from before 0.2.0
        (("settings", "payment"), NO_INVOICES, []),
        (("settings", "payment"), CHOSEN, [("payment", ("payments",)), ("settings", ())]),
    ],
)
def test_what_an_older_grant_lacks_is_shown_where_the_companys_choices_need_it(
    lacking: tuple[str, ...], chosen: dict[str, Any], told: list[tuple[str, tuple[str, ...]]]
) -> None:
    connection = a_connection(*lacking, **chosen)
    found = problems_of(connection)
    assert [(one.what.params["scope"], one.stops) for one in found] == told
    assert problems_of(connection.model_copy(update={"problems": found})) == found  # each once


def test_nothing_is_lacking_where_fortnox_did_not_say_what_it_granted_or_nothing_is_connected() -> None:
    assert problems_of(a_connection(*SCOPES)) == ()
    assert problems_of(a_connection("settings", state="disabled")) == ()
