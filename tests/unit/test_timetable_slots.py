"""When companies are due: spread evenly, each in its own slot, whatever the clock does."""

from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from delivery.polling import at_a_time
from stores.timetable import SWEDEN, every, nightly
from tasks.flows import poll_tick

TEN_MINUTES = timedelta(minutes=10)
times = st.datetimes(datetime(2026, 1, 1), datetime(2027, 12, 31), timezones=st.just(UTC))  # noqa: DTZ001 - given UTC
companies = st.text("abcdefghijklmnopqrstuvwxyz0123456789-", min_size=1, max_size=12)


@given(companies, times, st.integers(1, 86_400).map(lambda seconds: timedelta(seconds=seconds)))
def test_the_next_slot_is_later_and_within_one_interval(company: str, now: datetime, interval: timedelta) -> None:
    slot = every(interval)(company, now)
    assert now < slot <= now + interval + timedelta(microseconds=1)
    assert abs(every(interval)(company, slot) - slot - interval) <= timedelta(microseconds=1)


def test_a_thousand_companies_are_spread_over_the_interval() -> None:
    start = datetime(2026, 11, 22, tzinfo=UTC)
    slots = (every(TEN_MINUTES)(f"company-{n}", start) for n in range(1000))
    minutes = Counter((slot - start) // timedelta(minutes=1) for slot in slots)
    assert set(minutes) == set(range(10))
    assert max(minutes.values()) < 130  # 100 each on average


@given(companies, times)
def test_the_nightly_slot_lies_in_the_next_swedish_night(company: str, now: datetime) -> None:
    slot = nightly(company, now)
    assert now < slot <= now + timedelta(hours=26)
    assert 0 <= slot.astimezone(SWEDEN).hour <= 6  # from one to five, an hour off in the night of a clock change


@pytest.mark.parametrize("day", ["2026-03-29", "2026-10-25"])
def test_the_night_of_a_clock_change_has_one_slot_as_any(day: str) -> None:
    before = datetime.fromisoformat(f"{day}T00:00:00+00:00") - timedelta(hours=6)
    slot = nightly("acme", before)
    assert nightly("acme", slot) - slot > timedelta(hours=22)


def test_after_a_downtime_no_more_than_twice_the_usual_pace_is_asked_for() -> None:
    heartbeats = TEN_MINUTES / poll_tick(TEN_MINUTES)
    assert 1000 / heartbeats < at_a_time(1000, TEN_MINUTES, poll_tick(TEN_MINUTES)) <= 2 * 1000 / heartbeats + 1
    assert poll_tick(timedelta(seconds=2)) == timedelta(seconds=0.5)
