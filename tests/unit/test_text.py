"""Text as Fortnox takes it."""

import unicodedata

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from mappers.text import clean, fitted, is_allowed, shorten

# The published expression, written out: every content, and these.
PUBLISHED = "0123456789 –:.`´’,;^¤#%§£$€¢¥©™°&/()=+-*_!?²³®½@\\\n\r\u00a0\u0308\u030a"

anything = st.text(st.characters())  # surrogates and unassigned code points included
awkward = st.text(st.sampled_from("aåÅxe e\u0301\u0308\u030a\u0327\t\n\r<>~5…’\"'½¼²⁴\u200b\ud800😀ﬁ한ᄒ ᅡ ᆫ-,("))


def is_published(text: str) -> bool:
    return all(char in PUBLISHED or unicodedata.category(char)[0] == "L" for char in text)


@pytest.mark.parametrize(
    ("given_text", "cleaned"),
    [
        ("Skånska Bygg & Söner AB", "Skånska Bygg & Söner AB"),
        ("Kvarnen 3½ m² à 100 %", "Kvarnen 3½ m² à 100 %"),
        ("Αθήνα 東京", "Αθήνα 東京"),
        ("O'Brien ‘x’", "O’Brien ’x’"),
        ('Rack 19" “Kvarnen” «x»', "Rack 19’’ ’’Kvarnen’’ ’’x’’"),
        ("Anna <anna@x.example>", "Anna (anna@x.example)"),
        ("5 < 6 > 4", "5 6 4"),
        ("[A] {B} C|D", "(A) (B) C/D"),
        ("a — b – c ‐ d", "a – b – c - d"),
        ("~5 st, ~x", "ca 5 st, -x"),
        ("Vänta… 2 × 3 ± 1", "Vänta... 2 x 3 +/- 1"),
        ("• ett · två → tre", "- ett - två - tre"),
        ("3¼ m, 10⁴, H₂O, ①", "3 1/4 m, 10^4, H2O, 1"),
        ("１２ ٣", "12 3"),
        ("Tack😀för👨‍👩‍👧allt", "Tack för allt"),
        ("a\tb\u00a0c  d", "a b c d"),
        ("  kant ", "kant"),
        ("nol\x00l och\x1b[0m", "noll och(0m"),
        ("mju\u00adkt\u200bbindestreck\ufeff", "mjuktbindestreck"),
        ("Malmo\u0308 A\u030alesund e\u0301", "Malmö Ålesund é"),
        ("b\u0308y q\u0301", "b\u0308y q"),
        ("\u0308a a\u0308\u0308\u0308", "a ä\u0308"),
        ("A\u200b\u030a", "Å"),
        ("rad 1\r\nrad 2\rrad 3", "rad 1 rad 2 rad 3"),
        ("halv \ud83d", "halv"),
        ("😀", ""),
        ("", ""),
    ],
)
def test_text_is_written_in_the_characters_of_fortnox(given_text: str, cleaned: str) -> None:
    assert clean(given_text) == cleaned
    assert is_published(cleaned)


@pytest.mark.parametrize(
    ("given_text", "cleaned"),
    [
        ("rad 1\r\nrad 2\rrad 3\u2028rad 4", "rad 1\nrad 2\nrad 3\nrad 4"),
        (" a \n\n\n\n b\t c \n", "a\n\nb c"),
        ("<a\nb>", "a\nb"),
    ],
)
def test_line_breaks_are_kept_where_they_may_be(given_text: str, cleaned: str) -> None:
    assert clean(given_text, lines=True) == cleaned


@pytest.mark.parametrize(
    ("text", "limit", "short"),
    [
        ("precis", 6, "precis"),
        ("Ombyggnad av kontor och lager i hamnen", 30, "Ombyggnad av kontor och lager"),
        ("Ombyggnad av kontor och lager i hamnen", 31, "Ombyggnad av kontor och lager i"),
        ("Ombyggnad, etapp", 10, "Ombyggnad"),
        ("Donaudampfschifffahrtsgesellschaft", 10, "Donaudampf"),
        ("a Donaudampfschifffahrtsgesellschaft", 12, "a Donaudampf"),  # the only word end is too far back
        ("abcb\u0308yz", 4, "abc"),  # half a content is worse than none
        ("abcb\u0308yz", 5, "abcb\u0308"),
        ("((((((((", 4, "(((("),
    ],
)
def test_text_is_cut_after_a_word_or_a_whole_letter(text: str, limit: int, short: str) -> None:
    assert shorten(text, limit) == short


@given(anything | awkward, st.booleans())
@example("A\u200b\u030a", False)
@example("\u00a8", False)
def test_cleaned_text_is_always_in_the_allowed_set(text: str, lines: bool) -> None:
    cleaned = clean(text, lines=lines)
    assert is_published(cleaned)
    assert is_allowed(cleaned)
    assert lines or "\n" not in cleaned
    assert cleaned == cleaned.strip()
    assert unicodedata.is_normalized("NFC", cleaned)


@given(anything | awkward, st.booleans())
def test_cleaning_twice_changes_nothing_more(text: str, lines: bool) -> None:
    once = clean(text, lines=lines)
    assert clean(once, lines=lines) == once


@given(anything | awkward, st.integers(2, 60), st.booleans())
def test_fitted_text_is_never_too_long_and_never_empties_a_text_that_says_something(
    text: str, limit: int, lines: bool
) -> None:
    cleaned, short = clean(text, lines=lines), fitted(text, limit, lines=lines)
    assert len(short) <= limit
    assert cleaned.startswith(short)
    assert bool(short) == bool(cleaned)
    assert is_published(short)
    rest = cleaned[len(short) :]
    assert not rest or rest[0] not in "\u0308\u030a"


@given(st.text(st.sampled_from(PUBLISHED + "aåÖé"), max_size=50))
def test_text_already_in_the_set_keeps_every_word(text: str) -> None:
    assert clean(text).replace("\u0308", "").replace("\u030a", "").split() == [
        word for word in unicodedata.normalize("NFC", text).replace("\u0308", "").replace("\u030a", "").split() if word
    ]
