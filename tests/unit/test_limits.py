"""What is refused before it is parsed, from its bytes or from the object that a producer parsed."""

import json
import time
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.json_limits import DEPTH
from moment.events import InvalidEvent, parse_event
from moment.limits import check_limits, check_object


def nested(levels: int) -> Any:
    value: Any = 1
    for _ in range(levels):
        value = {"a": value}
    return value


@pytest.mark.parametrize(
    ("raw", "problem"),
    [
        (b'"' + b"a" * 200 + b'"', "more than 200 bytes"),
        ('{"name":"Ökrogen"}'.encode("latin-1"), "not UTF-8"),
        (b'"\xed\xa0\x80"', "not UTF-8"),  # a surrogate
        (b"[" * 33, "nested too deeply"),
        (b'["\\"",' * 33, "nested too deeply"),
        (rb'["\\\ud800"]', "half a character"),
        (rb'["\ud800\u0041"]', "half a character"),
        (rb'["\ud83d", "\ude00"]', "half a character"),
        (rb'["\ude00"]', "half a character"),
        (b"[1e31]", "exponent"),
        (b"[1E-31]", "exponent"),
        (b"[1e999999999999]", "exponent"),
        (b"[" + b"1" * 31 + b"]", "more than 30 digits"),
        (b"[-0." + b"1" * 30 + b"]", "more than 30 digits"),
        (b"[1." + b"1" * 30 + b"e1]", "more than 30 digits"),
    ],
)
def test_what_is_beyond_a_limit_is_refused_with_that_reason(raw: bytes, problem: str) -> None:
    with pytest.raises(InvalidEvent, match=problem):
        check_limits(raw, most=200)


@pytest.mark.parametrize(
    "raw",
    [
        b"[" * 32 + b"]" * 32,
        b"[[],[],{}]" * 8,
        b'["' + b"[" * 60 + b'\\"' + b"[" * 30 + b'"]',
        b'["1e999999999999 ' + b"1" * 40 + b'"]',
        b"[1e30, 1E-30, 12500.00, -0.0000000000000000000000000001]",
        rb'["\ud83d\ude00", "\\ud800", "\\\\ud800"]',
        b"no JSON at all",
        b"",
    ],
)
def test_what_is_within_the_limits_passes_be_it_json_or_not(raw: bytes) -> None:
    check_limits(raw, most=1000)


@pytest.mark.parametrize(
    "raw",
    [
        b'"' + b"\\n" * 9_900_000 + b'"',
        b'"' + rb"\ud83d\ude00" * 1_600_000 + b'"',
        b'"' + rb"\"" * 9_900_000,  # it never ends
        b'"' + rb"\"" * 9_900_000 + b"\\",
        b'"' * 19_000_000,
        b"1.2e" * 4_900_000,
        b"[" + b"1," * 9_900_000 + b"1]",
        b"[" + b"[]," * 6_600_000 + b"1]",
    ],
)
def test_the_largest_text_is_looked_through_in_seconds(raw: bytes) -> None:
    began = time.process_time()
    try:
        check_limits(raw)
    except InvalidEvent as error:
        assert "has more than 500000 values" in str(error)  # noqa: PT017 - one of them is fine
    assert time.process_time() - began < 5


@pytest.mark.parametrize(
    "value",
    [nested(DEPTH + 1), {"a": 10**30}, {"a": 1e31}, {"a": Decimal("1e-40")}, ["a" * 101], {"a" * 101: 1}, [1] * 101],
)
def test_an_object_that_a_producer_parsed_has_the_same_limits(value: Any) -> None:
    with pytest.raises(InvalidEvent):
        check_object(value, most=100)


@pytest.mark.parametrize(
    ("source", "problem"),
    [
        ('["\ud800"]', "not UTF-8"),
        ("[" * 33, "nested too deeply"),
        (b'{"id": 1e999999}', "exponent"),
        ('{"id": "\ufeff1e999999"}'.encode("utf-16"), "not UTF-8"),
        ('{"id": 1e999999}'.encode("utf-16-le"), "not JSON"),
        ('{"id": 1e999999}'.encode("utf-32-be"), "not JSON"),
    ],
)
def test_an_event_is_read_only_within_the_limits_and_only_as_utf8(source: str | bytes, problem: str) -> None:
    with pytest.raises(InvalidEvent, match=problem):
        parse_event(source)


def test_an_object_within_the_limits_passes() -> None:
    check_object({"a": [nested(DEPTH - 2), 10**30 - 1, 1e30, True, None, Decimal("12500.00")]}, most=100)


@given(
    st.recursive(
        st.none() | st.booleans() | st.text(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)
    )
)
def test_both_say_the_same_of_the_same_value(value: Any) -> None:
    check_limits(json.dumps(value).encode())
    check_object(value)
