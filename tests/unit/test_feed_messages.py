"""Messages of Fortnox's feed: what is published is understood, and anything else is told apart and left out."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fortnox.feed import FeedAnswer, FeedEvent, Odd, read_message

EVENT = {
    "topic": "invoices",
    "offset": "xDy7J",
    "type": "invoicepayment-bookkeep-v1",
    "tenantId": 29302,
    "entityId": "3817",
    "timestamp": "2017-12-28T14:59:16.500+01:00",
}
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
)
NAMES = ("topic", "offset", "type", "tenantId", "entityId", "timestamp", "response", "result", "tenantIds")


def _read(**changes: Any) -> Any:
    return read_message(json.dumps({**EVENT, **changes}))


def test_an_event_of_the_published_form_is_read() -> None:
    assert _read() == FeedEvent(
        topic="invoices",
        offset="xDy7J",
        kind="invoicepayment",
        verb="bookkeep",
        tenant_id=29302,
        number="3817",
        at=datetime(2017, 12, 28, 13, 59, 16, 500000, tzinfo=UTC),
    )


@pytest.mark.parametrize(
    ("type_", "kind", "verb", "known"),
    [
        ("customer-updated-v2", "customer", "updated", True),
        ("supplier-invoice-cancelled-v1", "supplier-invoice", "cancelled", True),
        ("financial-year-created-v7", "financial-year", "created", True),
        ("reminder-sent-v1", "reminder", "sent", False),
        ("weather", "", "", False),
    ],
)
def test_a_type_is_a_kind_and_a_verb_in_any_version(type_: str, kind: str, verb: str, known: bool) -> None:
    event = _read(type=type_)
    assert (event.kind, event.verb, event.known) == (kind, verb, known)


def test_numbers_may_be_numbers_or_text_and_unknown_fields_are_left_out() -> None:
    assert _read(entityId=3099, tenantId="29302", additional={"series": "A"})[4:6] == (29302, "3099")
    vouchers = json.dumps({**{k: v for k, v in EVENT.items() if k != "entityId"}, "id": "1-R-7"})
    event = read_message(vouchers)
    assert isinstance(event, FeedEvent)
    assert event.number == "1-R-7"


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"tenantId": None}, "event without tenant"),
        ({"tenantId": [1]}, "event without tenant"),
        ({"offset": 7}, "event without topic, type or offset"),
        ({"type": None}, "event without topic, type or offset"),
        ({"type": "x" * 10_000}, "event without topic, type or offset"),
    ],
)
def test_an_event_without_what_it_needs_is_left_out(changes: dict[str, Any], why: str) -> None:
    assert _read(**changes) == Odd(why)


@pytest.mark.parametrize("number", ["..", ".", "", "a\nb", "x" * 201, None, True, ["1"], {"n": 1}, "\x00"])
def test_a_number_that_could_not_be_one_is_none(number: Any) -> None:
    assert _read(entityId=number).number == ""


@pytest.mark.parametrize("time", [None, 17, "yesterday", "2017-12-28T14:59:16"])
def test_a_time_that_cannot_be_read_is_none(time: Any) -> None:
    assert _read(timestamp=time).at is None


def test_answers_say_what_was_taken_and_what_was_refused() -> None:
    taken = read_message('{"response":"add-tenants-v1","result":"ok","tenantIds":{"Bearer a":34231,"Bearer b":"x"}}')
    assert taken == FeedAnswer("add-tenants-v1", True, {"Bearer a": 34231})
    refused = read_message('{"response":"add-tenants-v1","result":"error","invalidTokens":["Bearer a"]}')
    assert refused == FeedAnswer("add-tenants-v1", False, invalid_tokens=("Bearer a",))
    listed = read_message('{"response":"list-tenants-v1","result":"ok","tenantIds":[34231, "34232", null]}')
    assert listed == FeedAnswer("list-tenants-v1", True, tenant_ids=(34231, 34232))


@pytest.mark.parametrize("text", ["", "nonsense", "[]", "7", "{}", b"{}", None, "[" * 100_000])
def test_what_is_neither_event_nor_answer_is_told_apart(text: object) -> None:
    assert isinstance(read_message(text), Odd)


@given(st.dictionaries(st.sampled_from(NAMES), JSON) | JSON)
def test_no_message_makes_reading_fail(document: Any) -> None:
    assert isinstance(read_message(json.dumps(document)), FeedEvent | FeedAnswer | Odd)
