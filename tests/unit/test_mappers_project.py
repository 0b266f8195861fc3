"""Moment's project as Fortnox's."""

from datetime import date
from typing import Any

import pytest

from fortnox.payloads import API_BLANK, ProjectPayload
from mappers import BadDates, BadNumber, Mapped, to_project
from messages.catalogue import say
from moment.events import parse_event
from tests.unit.factories import a_project


def mapped(**overrides: Any) -> Mapped[ProjectPayload]:
    return to_project(a_project(**overrides).project)


def test_every_field_of_a_project_is_carried() -> None:
    assert mapped(start_date="2026-10-01").payload.for_create() == {
        "ProjectNumber": "1",
        "Description": "Ombyggnad",
        "StartDate": date(2026, 10, 1),
        "EndDate": date(2027, 6, 30),
        "Status": "ONGOING",
    }


@pytest.mark.parametrize(
    ("created", "start"),
    [
        ("2026-11-01T08:00:00Z", date(2026, 11, 1)),
        ("2026-12-31T22:59:59Z", date(2026, 12, 31)),
        ("2026-12-31T23:00:00Z", date(2027, 1, 1)),  # winter: one hour ahead of UTC
        ("2026-07-01T21:59:59Z", date(2026, 7, 1)),
        ("2026-07-01T22:00:00Z", date(2026, 7, 2)),  # summer: two
        ("2026-11-01T00:30:00+14:00", date(2026, 10, 31)),
    ],
)
def test_without_a_start_date_a_project_starts_on_the_swedish_day_it_was_created(created: str, start: date) -> None:
    assert mapped(created_date=created).payload.start_date == start


@pytest.mark.parametrize(
    ("state", "status"),
    [("notStarted", "NOTSTARTED"), ("inProgress", "ONGOING"), ("completed", "COMPLETED"), ("closed", "COMPLETED")],
)
def test_each_state_has_its_status(state: str, status: str) -> None:
    assert mapped(project_state=state).payload.status == status


def test_an_emptied_end_date_is_emptied_in_fortnox() -> None:
    payload = mapped(end_date=None).payload
    assert payload.for_update()["EndDate"] == API_BLANK
    assert "EndDate" not in payload.for_create()


def test_an_end_date_that_the_event_does_not_mention_is_not_sent() -> None:
    event = a_project().model_dump(by_alias=True, mode="json", exclude_unset=True)
    del event["project"]["endDate"]
    parsed = parse_event(event)
    assert "EndDate" not in to_project(parsed.project).payload.for_update()  # type: ignore[union-attr]


def test_a_long_name_is_cut_at_50_characters() -> None:
    payload = mapped(name="Ombyggnad av kontor och lager i Malmö hamn, etapp 2 och 3").payload
    assert payload.description == "Ombyggnad av kontor och lager i Malmö hamn, etapp"


def test_a_name_of_which_nothing_is_left_gives_way_to_the_number() -> None:
    result = mapped(name="🏗")
    assert result.payload.description == "1"
    assert [notice.field for notice in result.notices] == ["project.name"]


@pytest.mark.parametrize("number", ["1", "2026-001", "P.1", "1" * 20])
def test_a_project_number_is_carried_as_it_is(number: str) -> None:
    assert mapped(project_number=number).payload.project_number == number


@pytest.mark.parametrize("number", ["1" * 21, "a'b", "[1]", "..", ".", "🏗"])
def test_a_project_number_that_fortnox_cannot_hold_is_an_error_that_names_it(number: str) -> None:
    with pytest.raises(BadNumber) as caught:
        mapped(project_number=number)
    assert (caught.value.path, caught.value.value) == ("project.projectNumber", number)


def test_a_project_may_end_on_the_day_it_starts() -> None:
    assert mapped(start_date="2026-11-20", end_date="2026-11-20").payload.end_date == date(2026, 11, 20)


@pytest.mark.parametrize(
    ("start", "source"), [("2027-07-01", "its start date, 1 Jul 2027"), (None, "the day it was created")]
)
def test_an_end_before_the_start_is_an_error_that_names_both_dates(start: str | None, source: str) -> None:
    with pytest.raises(BadDates) as caught:
        mapped(start_date=start, end_date="2026-10-31")
    assert (caught.value.path, caught.value.value) == ("project.endDate", "2026-10-31")
    assert source in say(caught.value.message)
