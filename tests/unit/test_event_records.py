"""Whatever an event's hash in Redis holds, there is a record of it."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from messages import Message
from messages.catalogue import say
from ordering.records import EPOCH, STATUSES, event_record, to_time

WHOLE = {
    "type": "customer.updated",
    "key": "acme/customer/1",
    "status": "done",
    "occurred": "1700000000000",
    "accepted": "1700000001000",
    "settled": "1700000002000",
    "attempts": "2",
}
OF_SETTLED = Message("engine.superseded", by="e2")


def test_a_whole_hash_is_read_as_it_is() -> None:
    record = event_record("acme", "e1", WHOLE | {"reason": OF_SETTLED.to_json()})
    assert (record.status, record.reason, record.attempts) == ("done", OF_SETTLED, 2)
    assert record.occurred_at == datetime(2023, 11, 14, 22, 13, 20, tzinfo=UTC)


@pytest.mark.parametrize("field", ["type", "key", "status", "occurred", "accepted"])
def test_a_record_says_what_is_missing(field: str) -> None:
    record = event_record("acme", "e1", {name: value for name, value in WHOLE.items() if name != field})
    assert record.reason == Message("engine.unreadable-record", fields=field)
    assert (record.id, record.company) == ("e1", "acme")


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("status", "lost"),
        ("occurred", "253402300800000"),  # the year 10000
        ("accepted", "-62135596800001"),  # before the year 1
        ("accepted", "nan"),
        ("settled", "inf"),
        ("occurred", "yesterday"),
        ("attempts", "many"),
    ],
)
def test_a_record_says_what_is_out_of_range_beside_its_reason(field: str, value: str) -> None:
    record = event_record("acme", "e1", WHOLE | {field: value, "reason": OF_SETTLED.to_json()})
    assert record.reason == Message.join(OF_SETTLED, Message("engine.unreadable-record", fields=field))
    assert record.status == ("unreadable" if field == "status" else "done")


def test_a_status_that_can_be_read_is_kept_and_times_are_ones_that_can_be_shown() -> None:
    record = event_record("acme", "e1", {"status": "failed"})
    assert (record.status, record.occurred_at, record.accepted_at, record.settled_at) == ("failed", EPOCH, EPOCH, None)
    for value in ("1e300", "-1e300", "nan", "", "x", "253402300800000"):
        assert 1970 <= to_time(value).year <= 2300


@given(
    st.dictionaries(
        st.sampled_from([*WHOLE, "reason", "remedy", "code", "blocker", "said"]),
        st.one_of(
            st.text('0123456789-+.eE_ \u00b2\u0663na[{"if', max_size=20),
            st.floats().map(str),
            st.integers().map(str),
            st.sampled_from(STATUSES),
        ),
    )
)
def test_reading_never_raises(fields: dict[str, str]) -> None:
    record = event_record("acme", "e1", fields)
    for time in (record.occurred_at, record.accepted_at, record.settled_at or EPOCH):
        assert time.astimezone().isoformat()
    assert record.unreadable == () or "cannot be read" in say(record.reason)
