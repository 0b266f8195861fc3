"""Messages are data until they are shown: each key that the code uses is a sentence in both languages, with just its
parameters; any message survives storing and pickling; and nothing that was stored can raise when it is read or shown.
"""

import ast
import io
import json
import pickle
import re
import string
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple, get_args

import pytest
from babel.messages.pofile import read_po
from hypothesis import given
from hypothesis import strategies as st
from jinja2 import Environment, nodes

from mails.render import as_html, as_text
from messages import NOTHING, Message, Money
from messages.catalogue import DIRECTORY, Language, lines, say
from tests.mail_previews import previews

ROOT = Path(__file__).parents[2]
PACKAGES = (
    *("cli", "config", "console", "delivery", "fortnox", "local", "mails", "mappers", "messages", "moment"),
    *("operations", "ordering", "stores", "tasks", "worker"),
)
LANGUAGES: tuple[Language, ...] = get_args(Language)
BUILT_IN = {"unreadable", "joined"}  # keys that `messages` makes itself
SAME_IN_BOTH = {"field.status", "mail.column.status", "mail.subject", "transfers.status"}
ENGLISH = re.compile(
    r"\b(the|and|is|are|was|were|not|with|from|must|this|that|which|has|have|it|its|of|to|by|or|when|there)\b", re.I
)
# Not ours to translate: what is quoted, a command, a link, a parameter, a name with a dot (`invoice.dueDate`).
FOREIGN = re.compile(r"”[^”]*”|'[^']*'|`[^`]*`|\{[^}]*\}|https?://\S+|^ *moment-fortnox .*$|\w+(\.\w+)+", re.M)


# --- The catalogues ---


@cache
def catalogue(language: Language) -> dict[str, tuple[str, ...]]:
    """Each key's sentences: one, or one for each plural form."""
    found = {}
    for path in sorted((DIRECTORY / language).glob("*.po")):
        for entry in read_po(io.BytesIO(path.read_bytes()), locale=language):
            key = entry.id[0] if isinstance(entry.id, tuple) else entry.id
            if key:
                found[key] = entry.string if isinstance(entry.string, tuple) else (entry.string,)
    return found


def braces(sentence: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(sentence) if name is not None}


def params_of(key: str, language: Language) -> set[str]:
    forms = catalogue(language)[key]
    return set.union({"n"} if len(forms) > 1 else set(), *map(braces, forms))


def test_no_key_is_in_a_language_twice() -> None:
    for language in LANGUAGES:
        keys: Counter[str] = Counter()
        for path in (DIRECTORY / language).glob("*.po"):
            keys.update(re.findall(r'^msgid "(.+)"', path.read_text(encoding="utf-8"), re.M))
        assert [key for key, n in keys.items() if n > 1] == []


def test_each_key_has_its_sentence_in_both_languages() -> None:
    assert set(catalogue("sv")) == set(catalogue("en"))
    for language in LANGUAGES:
        assert [key for key, forms in catalogue(language).items() if not all(forms)] == []


def test_swedish_is_not_left_in_english() -> None:
    """A sentence that is the same in both languages was not translated, but for the few that are spelt alike."""
    same = {key for key, forms in catalogue("sv").items() if forms == catalogue("en")[key]}
    worded = {key for key in same if re.search(r"[^\W\d_]", FOREIGN.sub("", catalogue("sv")[key][0]))}
    assert worded <= SAME_IN_BOTH


def test_no_swedish_sentence_holds_english_words() -> None:
    found = {key: ENGLISH.findall(FOREIGN.sub("", " ".join(forms))) for key, forms in catalogue("sv").items()}
    assert {key: words for key, words in found.items() if words} == {}


def test_no_english_sentence_holds_swedish_letters() -> None:
    """But the pages of situations, which name Fortnox's screens."""
    ours = {key: forms for key, forms in catalogue("en").items() if not key.startswith("situation.")}
    assert [key for key, forms in ours.items() if re.search("[åäöÅÄÖ]", " ".join(forms))] == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_brace_is_a_named_parameter_as_it_is_or_in_quotation_marks(language: Language) -> None:
    for key, forms in catalogue(language).items():
        for form in forms:
            for _, name, spec, conversion in string.Formatter().parse(form):
                assert name is None or (name.isidentifier() and spec in ("", "q") and not conversion), key


def test_both_languages_fill_in_the_same_in_every_plural_form() -> None:
    for key in catalogue("en").keys() & catalogue("sv").keys():
        assert params_of(key, "en") == params_of(key, "sv"), key
        for language in LANGUAGES:
            for form in catalogue(language)[key]:
                assert braces(form) | {"n"} >= params_of(key, language), key


# --- The code ---


class Use(NamedTuple):
    """`Message(key, …)` in the code. `key` is a pattern; `params` is None where the names are not written there."""

    where: str
    key: str
    params: frozenset[str] | None


def python_uses() -> Iterator[Use]:
    for path in sorted(path for package in PACKAGES for path in (ROOT / package).rglob("*.py")):
        name = str(path.relative_to(ROOT))
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "Message"):
                continue
            names = [keyword.arg for keyword in node.keywords]
            params = None if None in names else frozenset(str(one) for one in names)
            for key in keys_in(node.args[0]):
                yield Use(f"{name}:{node.lineno}", key, params)


def keys_in(node: ast.expr) -> Iterator[str]:
    """The keys that an expression can be, as patterns; one that matches nothing where it cannot be read."""
    match node:
        case ast.Constant(value=str(key)):
            yield re.escape(key)
        case ast.JoinedStr(values=parts):
            yield "".join(re.escape(one.value) if isinstance(one, ast.Constant) else "[^.]+" for one in parts)
        case ast.IfExp(body=one, orelse=other):
            yield from keys_in(one)
            yield from keys_in(other)
        case _:
            yield r"(?!)"


def lua_uses() -> Iterator[Use]:
    for path in sorted(path for package in PACKAGES for path in (ROOT / package).rglob("*.lua")):
        text = path.read_text(encoding="utf-8")
        for call in re.finditer(r"message\('([^']+)', \{([^}]*)\}", text):
            names = re.findall(r"(\w+) =", call.group(2))
            yield Use(f"{path.relative_to(ROOT)}", re.escape(call.group(1)), frozenset(names))


def uses() -> list[Use]:
    found = [*python_uses(), *lua_uses(), *template_uses()]
    return [use for use in found if not use.where.startswith(("messages/__init__", "console/sentences"))]


def template_uses() -> Iterator[Use]:
    """`m('key', name=…)` in the console's templates. `'key-%s' % value` is a pattern."""
    for path in sorted((ROOT / "console/templates").glob("*.html")):
        for call in Environment().parse(path.read_text(encoding="utf-8")).find_all(nodes.Call):
            if not (isinstance(call.node, nodes.Name) and call.node.name == "m"):
                continue
            where, params = f"{path.name}:{call.lineno}", frozenset(one.key for one in call.kwargs)
            for key in keys_in_template(call.args[0]):
                yield Use(where, key, params)


def keys_in_template(node: nodes.Expr | None) -> Iterator[str]:
    match node:
        case nodes.Const(value=str(key)):
            yield re.escape(key)
        case nodes.Mod(left=nodes.Const(value=str(key))):
            yield re.escape(key).replace("%s", "[^.]+")
        case nodes.CondExpr(expr1=one, expr2=other):
            yield from keys_in_template(one)
            yield from keys_in_template(other)
        case _:
            yield r"(?!)"


def matching(pattern: str) -> set[str]:
    return {key for key in catalogue("en") if re.fullmatch(pattern, key)}


def test_every_key_in_the_code_is_in_the_catalogues() -> None:
    known = [use for use in uses() if use.key not in BUILT_IN]
    assert len(known) > 50
    assert [use for use in known if not matching(use.key)] == []


def test_every_message_has_just_the_parameters_of_its_sentence() -> None:
    wrong = []
    for use in uses():
        for key in matching(use.key) if use.params is not None else ():
            if (wanted := params_of(key, "en")) != use.params:
                wrong.append(f"{use.where} {key}: {sorted(use.params or ())}, its sentence: {sorted(wanted)}")
    assert not wrong, "\n".join(wrong)


def test_every_key_of_the_catalogues_is_used() -> None:
    used = {key for use in uses() for key in matching(use.key)} | BUILT_IN
    strings = {
        text
        for package in PACKAGES
        for path in (ROOT / package).rglob("*.lua")
        for text in re.findall(r"'([^']+)'", path.read_text(encoding="utf-8"))
    }
    assert sorted(set(catalogue("en")) - used - strings) == []


def test_a_swedish_mail_holds_no_english_sentence() -> None:
    for name, content in previews("sv").items():
        for form in (as_text(content), re.sub(r"<style>.*?</style>|<[^>]+>", " ", as_html(content), flags=re.S)):
            assert not ENGLISH.findall(FOREIGN.sub("", form)), name


# --- Storing and showing ---

WORDS = st.text(max_size=20)
KEYS = st.sampled_from(sorted(catalogue("en"))) | st.text("abc.-", min_size=1)
AMOUNTS = st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**12), max_value=10**12, places=2)
TIMES = st.datetimes(timezones=st.just(UTC))
VALUES = (
    WORDS
    | st.integers()
    | AMOUNTS
    | st.builds(Money, AMOUNTS, WORDS)
    | st.dates()
    | TIMES
    | st.timedeltas(max_value=timedelta(days=10**6))
)


def messages_of(values: st.SearchStrategy[Any]) -> st.SearchStrategy[Message]:
    names = st.sampled_from(["n", "value", "number", "customer", "text", "duration", "what"])
    return st.builds(lambda key, params: Message(key, **params), KEYS, st.dictionaries(names, values, max_size=4))


SINGLE = st.recursive(
    messages_of(VALUES),
    lambda inner: messages_of(VALUES | inner | st.lists(inner, max_size=2).map(tuple)),
    max_leaves=5,
)
MESSAGES = st.lists(SINGLE, max_size=3).map(lambda parts: Message.join(*parts))


@given(MESSAGES)
def test_any_message_survives_storing_and_pickling(message: Message) -> None:
    stored = message.to_json()
    assert Message.from_json(stored) == message
    assert hash(Message.from_json(stored)) == hash(message)
    assert Message.from_json(stored).to_json() == stored
    assert pickle.loads(pickle.dumps(message)) == message


@given(MESSAGES, st.sampled_from(LANGUAGES))
def test_any_message_can_be_shown_with_each_part_on_one_line(message: Message, language: Language) -> None:
    shown = lines(message, language)
    assert len(shown) == len(message.parts)
    assert not [line for line, part in zip(shown, message.parts, strict=True) if "\n" in line]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.sampled_from(["x", "joined"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["message", "messages", "money", "decimal", "time", "date", "microseconds", "parts", "n"]),
            inner,
            max_size=2,
        )
        | st.tuples(st.sampled_from(["joined", "duration.days", "unreadable", ""]), inner).map(list)
    ),
    max_leaves=12,
)


@given(st.text() | JSON.map(json.dumps) | JSON.map(lambda part: json.dumps([["unreadable", {"text": part}]])))
def test_whatever_was_stored_is_read_and_shown(stored: str) -> None:
    message = Message.from_json(stored)
    for language in LANGUAGES:
        assert isinstance(say(message, language), str)
    assert Message.from_json(message.to_json()) == message


@pytest.mark.parametrize(
    "stored",
    [
        "[" * 100_000,
        "[" + '["a", {"b": {"message": ' * 300 + '["a", {}]' + "}}]" * 300 + "]",
        '[["x", {"v": {"decimal": "1e999999"}}]]',
        '[["x", {"v": {"decimal": "NaN"}}]]',
        '[["x", {"v": {"microseconds": 1e300}}]]',
        '[["joined", {}]]',
        '[["unreadable", {"text": {"message": ["joined", {}]}}]]',
        json.dumps([["x", {"v": "9" * 5000}]]).replace('"9', "9").replace('9"', "9"),
        "null",
    ],
    ids=range(9),
)
def test_what_is_no_message_is_shown_as_unreadable(stored: str) -> None:
    message = Message.from_json(stored)
    assert message.key == "unreadable"
    assert say(message, "sv").startswith("(det som sparades går inte att läsa: ”")
    assert len(say(message, "sv")) < 600


def test_a_lone_surrogate_can_be_stored() -> None:
    stored = Message("x", name="a\ud800b").to_json()
    assert Message.from_json(stored.encode().decode()) == Message("x", name="a?b")


def test_a_time_that_no_clock_shows_is_shown_as_it_is() -> None:
    edge = datetime.max.replace(tzinfo=UTC)
    assert "9999-12-31" in say(Message("unreadable", text=edge), "sv")
    assert "1E+50" in say(Message("unreadable", text=Decimal("1E+50")), "sv")


def test_plurals_numbers_and_times_are_written_as_in_the_language() -> None:
    assert [say(Message("duration.hours", n=n), "sv") for n in (1, 2, 1000)] == ["1 timme", "2 timmar", "1 000 timmar"]
    assert say(Message("unreadable", text=Decimal("1234.5")), "sv").endswith("”1 234,5”)")
    at = datetime(2026, 11, 20, 13, 30, tzinfo=UTC)
    assert say(Message("unreadable", text=at), "sv").endswith("”2026-11-20 kl. 14:30”)")
    assert say(Message("unreadable", text=at), "en").endswith("“20 Nov 2026, 14:30”)")
    assert say(Message("mail.subject", headline=timedelta(hours=47)), "sv") == "Fortnox: 47 timmar"


def test_a_key_of_another_version_is_shown_with_its_parameters() -> None:
    assert say(Message("invoice.of-tomorrow", number="1001", n=3)) == "invoice.of-tomorrow (number: 1001, n: 3)"


def test_joined_messages_are_a_line_each_and_nothing_is_none() -> None:
    one, two = Message("duration.hours", n=1), Message("duration.days", n=2)
    assert lines(Message.join(one, NOTHING, Message.join(two, one)), "sv") == ["1 timme", "2 dygn", "1 timme"]
    assert Message.join(NOTHING, one) is one
    assert Message.join() is NOTHING
    assert not NOTHING
    assert NOTHING.to_json() == ""
