"""What the event commands show: pure parts."""

from datetime import UTC, datetime, timedelta

import pytest

from cli.events import in_words, to_filter
from cli.export import COLUMNS, harmless, row
from messages import NOTHING
from operations.events import log_line, whole_timeline
from ordering import EventRecord
from stores import TimelineEntry
from tests.sentences import sentence

AT = datetime(2026, 11, 22, 9, tzinfo=UTC)


def a_record(**overrides: object) -> EventRecord:
    fields = {
        "id": "e1",
        "company": "acme",
        "type": "invoice.finalized",
        "key": "acme/invoice/1001",
        "status": "failed",
        "reason": sentence("It is full."),
        "remedy": NOTHING,
        "code": "2001",
        "attempts": 1,
        "occurred_at": AT,
        "accepted_at": AT,
        "settled_at": AT + timedelta(seconds=3),
        "blocker": "",
    }
    return EventRecord(**(fields | overrides))  # type: ignore[arg-type]


def test_an_end_that_no_attempt_brought_about_is_told_from_the_event() -> None:
    claimed = TimelineEntry(AT + timedelta(seconds=1), "claimed", {})
    timeline = whole_timeline(a_record(), [claimed])
    assert [entry.what for entry in timeline] == ["admitted", "claimed", "failed"]
    assert timeline[-1].details == {"code": "2001", "reason": sentence("It is full.").to_json()}
    ended = TimelineEntry(AT + timedelta(seconds=2), "failed", {})
    assert whole_timeline(a_record(), [claimed, ended])[-1] is ended


@pytest.mark.parametrize("value", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1"])
def test_a_cell_that_a_spreadsheet_would_calculate_is_sentence(value: str) -> None:
    assert harmless(value) == "'" + value.replace("\t", r"\t")


def test_other_cells_stay_as_they_are() -> None:
    assert [harmless(value) for value in ("10001", "a=b", 3, None)] == ["10001", "a=b", 3, None]


def test_a_line_of_the_log_has_the_number_the_time_and_the_requests_it_took() -> None:
    requests = [
        TimelineEntry(AT, "request", {"status": 503}),
        TimelineEntry(AT, "request", {"status": 201}),
        TimelineEntry(AT, "done", {}),
    ]
    line = row(log_line(a_record(), requests))
    assert (line["number"], line["seconds"], line["requests"]) == ("1001", 3.0, 2)
    assert tuple(line) == COLUMNS


def test_a_request_without_an_answer_says_so() -> None:
    _, words = in_words("request", {"method": "PUT", "path": "/3/customers/{number}", "ms": 5000})
    assert words == "PUT /3/customers/{number} → no answer, 5000 ms"


def test_a_day_means_all_of_it_by_the_clock_on_the_wall() -> None:
    wanted = to_filter("acme", since="2026-11-22", until="2026-11-22")
    assert wanted.since is not None
    assert wanted.until is not None
    assert wanted.since.astimezone(UTC) == datetime(2026, 11, 21, 23, tzinfo=UTC)
    assert wanted.until.astimezone(UTC) > datetime(2026, 11, 22, 22, 59, tzinfo=UTC)
    assert to_filter("acme", number="7").keys == ("acme/customer/7", "acme/project/7", "acme/invoice/7")
