"""The pages for accountants (docs/situations) and the table of situations agree."""

import re
from pathlib import Path

import pytest

from fortnox.codes import CODES, TEXTS, labelled
from fortnox.situations import SITUATIONS, explanation
from messages.catalogue import Language, say

PAGES = Path(__file__).parents[2] / "docs" / "situations"
INDEX = (PAGES / "README.md").read_text(encoding="utf-8")
ENDS = {"fail": "failed", "prerequisite": "held", "access": "held", "reconnect": "paused", "retry": "retried"}
LANGUAGES: tuple[Language, ...] = ("en", "sv")
PARTS = ("What happened", "How it looks in Fortnox", "What to do", "What happens by itself", "How to retry")


def page(name: str) -> str:
    return (PAGES / f"{name}.md").read_text(encoding="utf-8")


def test_there_is_a_page_for_each_situation_and_no_other() -> None:
    assert {path.stem for path in PAGES.glob("*.md")} == {*SITUATIONS, "README"}


@pytest.mark.parametrize("name", SITUATIONS)
def test_a_page_carries_the_tables_sentences_in_both_languages(name: str) -> None:
    situation, text = SITUATIONS[name], page(name)
    said = (*explanation(name), situation.afterwards)
    sentences = [say(one, language) for one in said for language in LANGUAGES]

    assert [sentence for sentence in sentences if sentence not in text] == []


@pytest.mark.parametrize("name", SITUATIONS)
def test_a_page_says_who_acts_how_it_ends_and_which_codes_lead_to_it(name: str) -> None:
    situation, text = SITUATIONS[name], page(name)

    assert f"| Name in mails and lists | `{name}` |" in text
    assert f"| Who acts | {say(situation.acts)} |" in text
    assert f"**{ENDS[situation.ending]}**" in text
    assert [code for code, leads_to in CODES.items() if leads_to == name and f"`{code}`" not in text] == []
    assert re.findall(r"^## (.+)$", text, re.MULTILINE) == list(PARTS)


@pytest.mark.parametrize("name", SITUATIONS)
def test_the_index_leads_to_each_page_with_what_it_says_and_how_it_ends(name: str) -> None:
    situation = SITUATIONS[name]

    assert f"]({name}.md) | {say(explanation(name).reason)} | {ENDS[situation.ending]} |" in INDEX


def test_no_page_leads_to_one_that_is_not_there() -> None:
    linked = {name for path in PAGES.glob("*.md") for name in re.findall(r"\]\(([\w-]+)\.md\)", path.read_text())}

    assert linked <= {*SITUATIONS, "README"}


def test_a_label_names_its_page() -> None:
    assert labelled("period-locked 2000401") == labelled("period-locked") == "period-locked"
    assert labelled("2000401") == labelled("bug") == labelled("") == ""


def test_every_word_of_fortnox_that_a_page_quotes_as_what_it_says_is_recognised_as_that_situation() -> None:
    """`Fortnox says "…"`: what the accountant reads is what leads to the page."""
    wrong = {}
    for name in SITUATIONS:
        for said in re.findall(r'Fortnox\s+says\s+"([^"]+)"', page(name)):
            text = " ".join(said.replace("…", "3010").split())
            found = next((situation for pattern, situation in TEXTS if pattern.search(text)), None)
            if found is not None and found != name:
                wrong[text] = (name, found)
    assert wrong == {}
