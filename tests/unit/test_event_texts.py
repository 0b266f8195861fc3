"""A text of events taken apart: JSON lines, objects over several lines, an array; each with its line."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from messages import Message
from operations.event_texts import event_texts
from operations.publish import read_events
from tests.unit.factories import customer_json, invoice_json

MOST = 20_000_000
EVENTS = [customer_json(), invoice_json(), customer_json(event_id="e9", name='A "quoted" {name}, [1]\\')]
FORMS = {
    "lines": "\n".join(map(json.dumps, EVENTS)),
    "lines with blank ones and CR": "\r\n\r\n".join(map(json.dumps, EVENTS)) + "\r\n",
    "pretty-printed": "\n".join(json.dumps(event, indent=2) for event in EVENTS),
    "pretty-printed without a line between": "".join(json.dumps(event, indent=2) for event in EVENTS),
    "an array": json.dumps(EVENTS),
    "a pretty-printed array": json.dumps(EVENTS, indent="\t"),
    "a byte order mark": "\ufeff" + json.dumps(EVENTS, indent=2),
    "a byte order mark before lines": "\ufeff" + "\n".join(map(json.dumps, EVENTS)),
}


@pytest.mark.parametrize("text", FORMS.values(), ids=FORMS)
def test_events_are_read_in_every_form(text: str) -> None:
    events, bad = read_events(text, MOST)
    assert bad == []
    assert [event.id for event in events] == ["e1", "e3", "e9"]


def test_one_pretty_printed_object_is_one_event() -> None:
    events, bad = read_events(json.dumps(customer_json(), indent=4), MOST)
    assert (len(events), bad) == (1, [])


def places(text: str, most: int = MOST) -> list[tuple[int, int | None, str]]:
    return [(bad.line, bad.item, one.path) for bad in read_events(text, most)[1] for one in bad.problems]


def test_an_error_names_the_line_or_the_item_and_the_path() -> None:
    good, wrong = customer_json(), customer_json(name=None)
    lines = f"{json.dumps(good)}\n\n{json.dumps(wrong)}\n{{\n{json.dumps(good)}"
    assert places(lines) == [(3, None, "customer.name"), (4, None, "")]
    length = len(json.dumps(good, indent=2).splitlines())
    pretty = f"{json.dumps(good, indent=2)}\n{json.dumps(wrong, indent=2)}"
    assert places(pretty) == [(length + 1, None, "customer.name")]
    array = json.dumps([good, wrong, 3], indent=2)
    assert places(array) == [(length + 2, 2, "customer.name"), (2 * length + 2, 3, "")]


@pytest.mark.parametrize("cut", [1, 2, 30])
def test_an_array_that_was_cut_is_refused_though_its_events_are_whole(cut: int) -> None:
    _, bad = read_events(json.dumps([customer_json(), customer_json(event_id="e2")])[:-cut], MOST)
    assert bad[-1].problems[0].problem == Message("event.array-cut")


@pytest.mark.parametrize("text", ["[{},]", "[1]", "[[]]", "{", "}", "nonsense", '{"a":1} x', "[] {}", '[{"a":"]', "[}"])
def test_what_is_no_event_is_told(text: str) -> None:
    assert places(text) != []


@pytest.mark.parametrize("text", ["", "\n \n", "[]", " [ ] ", "\ufeff"])
def test_nothing_is_no_event_and_no_error(text: str) -> None:
    assert read_events(text, MOST) == ([], [])


def test_a_line_that_was_cut_spoils_no_other() -> None:
    whole = json.dumps(customer_json())
    assert places(f"{whole[:60]}\n{whole}\n{whole}") == [(1, None, "")]


def test_a_separator_of_lines_inside_a_string_separates_nothing() -> None:
    text = json.dumps(customer_json(name="A\u2028B\x85C"), ensure_ascii=False)
    assert places(f"{text}\n{text}") == []


@pytest.mark.parametrize("form", ["{}", "[{}]", "[{}, {}]"])
def test_the_limit_of_bytes_is_checked_for_each_event_before_it_is_parsed(form: str) -> None:
    large = json.dumps(customer_json(name="x" * 10_000), indent=2) + "," * 3  # no JSON: it must not be parsed
    _, bad = read_events(form.replace("{}", large.removesuffix(",,,") if form != "{}" else large), 10_000)
    assert {one.problem for event in bad for one in event.problems} >= {Message("event.too-large", most="10000")}


values: Any = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
)


@given(
    st.lists(st.dictionaries(st.text(max_size=8), values, min_size=1, max_size=5), min_size=1, max_size=5), st.data()
)
def test_whatever_is_in_the_objects_they_come_out_whole(objects: list[dict[str, Any]], data: st.DataObject) -> None:
    indent, ascii_ = data.draw(st.sampled_from([None, 2])), data.draw(st.booleans())
    written = [json.dumps(one, indent=indent, ensure_ascii=ascii_) for one in objects]
    for text in ("\n".join(written), json.dumps(objects, indent=indent, ensure_ascii=ascii_)):
        assert [json.loads(one.text) for one in event_texts(text)] == objects
