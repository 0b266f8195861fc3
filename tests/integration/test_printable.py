"""What is unprintable in ids, names and reasons is shown escaped, in every form of output."""

import csv
import io
import json
import unicodedata

import pytest
from redis import Redis

from cli.printable import json_text, printable
from config import load_settings
from delivery.services import Services, build_services
from tests import commands
from tests.unit.factories import customer_json
from worker.publish import publish

NASTY = "e\x9b31m\u202etxt.exe\u200f[red]x[/]:bug:"  # C1, direction marks, and what rich would take for markup
ESCAPED = r"e\x9b31m\u202etxt.exe\u200f[red]x[/]:bug:"
REASON = "made\x1b]0;title\x07 by\nhand\u2066"


@pytest.fixture
def environment(redis_client: Redis, redis_url: str) -> dict[str, str]:
    return {"REDIS_URL": redis_url, "FORTNOX_API_URL": "http://127.0.0.1:1", "COLUMNS": "400"}


@pytest.fixture
def services(environment: dict[str, str]) -> Services:
    found = build_services(
        load_settings(None, redis_url=environment["REDIS_URL"], fortnox_api_url=environment["FORTNOX_API_URL"])
    )
    publish(customer_json(event_id=NASTY, customer_number="1\u202e2", name="\x1b[2J"), services=found)
    return found


def raw(output: str) -> set[str]:
    """The characters of an output that a terminal would not show as they are."""
    odd = {char for char in output if not char.isprintable() and unicodedata.category(char) != "Zs"}
    return odd - set("\r\n\t")  # the last parts columns


@pytest.mark.parametrize(
    "command",
    [
        ["events", "list"],
        ["events", "list", "--json"],
        ["events", "show", "acme", NASTY],
        ["events", "show", "acme", NASTY, "--json"],
        ["events", "export"],
        ["events", "export", "--format", "csv"],
        ["events", "skip", "acme", NASTY, "--reason", REASON, "--by", "\x1b[31mM"],
        ["events", "show", "acme", f"\x9b{NASTY}"],
        ["status", "--company", NASTY],
        ["companies", "show", NASTY],
    ],
    ids=lambda command: printable(" ".join(command)),
)
def test_no_command_prints_it_raw(services: Services, environment: dict[str, str], command: list[str]) -> None:
    done = commands.run(*command, environment=environment)
    assert raw(done.stdout + done.stderr) == set()
    if done.returncode == 0:
        assert ESCAPED in done.stdout or json.dumps(NASTY) in done.stdout


def test_why_an_event_was_skipped_is_shown_on_one_line(services: Services, environment: dict[str, str]) -> None:
    commands.run("events", "skip", "acme", NASTY, "--reason", REASON, environment=environment)
    for options in ([], ["--json"]):
        done = commands.run("events", "show", "acme", NASTY, *options, environment=environment)
        assert raw(done.stdout) == set()
        assert "by hand" in done.stdout


def test_json_and_csv_read_back_what_is_there(services: Services, environment: dict[str, str]) -> None:
    listed = commands.run("events", "list", "--json", environment=environment)
    assert json.loads(listed.stdout)["id"] == NASTY
    exported = commands.run("events", "export", "--format", "csv", environment=environment)
    (row,) = csv.DictReader(io.StringIO(exported.stdout))
    assert row["id"] == ESCAPED


def test_a_line_that_is_refused_shows_its_fault_escaped(environment: dict[str, str]) -> None:
    event = json.dumps(customer_json() | {"type": NASTY, "\x1b[2J": 1})
    for options in ([], ["--json"]):
        done = commands.run("publish", "-", *options, stdin=event, environment=environment)
        assert done.returncode == 1
        assert raw(done.stdout + done.stderr) == set()


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Skånska Bygg AB – “på plats” 🙂\xa0kr", "Skånska Bygg AB – “på plats” 🙂\xa0kr"),
        ("\x1b[31m\x7f\x85", r"\x1b[31m\x7f\x85"),
        ("a\tb\r\nc\u2028d", r"a\tb\r\nc\u2028d"),
        ("\u061c\u200e\u2066\ufeff\U000e0041", r"\u061c\u200e\u2066\ufeff\U000e0041"),
        ("\ud800", r"\ud800"),
    ],
)
def test_printable_text_stays_and_the_rest_is_escaped(text: str, shown: str) -> None:
    assert printable(text) == shown
    assert json.loads(json_text(text)) == text
    assert raw(json_text(text)) == set()
