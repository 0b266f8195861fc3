"""The pages for accountants (docs/situations) and the table of situations agree."""

import re
from pathlib import Path

import pytest

from fortnox.codes import CODES, TEXTS, labelled
from fortnox.situation_pages import situation_page
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


def section(name: str, heading: str) -> str:
    found = re.search(rf"^## {heading}\n+(.*?)(?=^## )", page(name), re.MULTILINE | re.DOTALL)
    assert found
    return found.group(1)


def plain(text: str) -> str:
    """Without marks, quotation marks and line ends; a link is the title that it leads to."""
    linked = re.sub(r"\[([\w-]+)\]\(\1\.md\)", lambda link: say(situation_page(link.group(1)).title), text)
    return " ".join(re.sub(r'[*"“”]', "", linked).split())


@pytest.mark.parametrize("name", SITUATIONS)
def test_the_console_says_what_the_page_says(name: str) -> None:
    texts = situation_page(name)

    assert page(name).startswith(f"# {say(texts.title)}")
    assert plain(say(texts.happened)) == plain(section(name, "What happened"))
    assert plain(say(texts.shown)) == plain(section(name, "How it looks in Fortnox"))
    assert len(texts.steps) == len(re.findall(r"^\d+\. ", section(name, "What to do"), re.MULTILINE))


@pytest.mark.parametrize("name", SITUATIONS)
def test_the_console_names_no_command_where_an_accountant_reads(name: str) -> None:
    texts = situation_page(name)
    said = [say(one, language) for language in LANGUAGES for one in (texts.happened, texts.shown, *texts.steps)]

    assert [text for text in said if "moment-fortnox" in text or "events skip" in text] == []


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
