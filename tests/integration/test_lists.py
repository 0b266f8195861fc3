"""Lists at a terminal of 80 columns, and piped: ids and numbers are whole, and programs can read them."""

import os
import pty
import re
import subprocess
import sys
import termios
from contextlib import suppress
from datetime import datetime
from zoneinfo import ZoneInfo

import pytest
from redis import Redis

from config import load_settings
from config.environment import child_environment
from delivery.services import build_services
from tests import commands
from tests.unit.factories import customer_json
from worker.publish import publish

LONG_ID = "2b1c9f60-0b6e-4e54-9d6e-" + "0123456789" * 4
REASON = "made by hand in Fortnox, since the customer was there under another number already and had been for years"


@pytest.fixture
def environment(redis_client: Redis, redis_url: str) -> dict[str, str]:
    environment = {"REDIS_URL": redis_url, "FORTNOX_API_URL": "http://127.0.0.1:1"}
    services = build_services(load_settings(None, redis_url=redis_url, fortnox_api_url=environment["FORTNOX_API_URL"]))
    for event_id, number in ((LONG_ID, "10001"), ("e2", "10002")):
        publish(customer_json(event_id=event_id, customer_number=number), services=services)
    publish(customer_json(company="other-company-with-a-long-name"), services=services)
    commands.run("events", "skip", "acme", LONG_ID, "--reason", REASON, "--by", "Maja", environment=environment)
    return environment


def on_a_terminal(environment: dict[str, str], *command: str, columns: int = 80) -> list[str]:
    """The lines that a command prints on a terminal of this width, without colours."""
    ours, theirs = pty.openpty()
    termios.tcsetwinsize(theirs, (24, columns))
    process = subprocess.Popen(
        [sys.executable, "-m", "cli", *command],
        stdin=theirs,
        stdout=theirs,
        stderr=subprocess.DEVNULL,
        env=child_environment(environment | {"TERM": "xterm", "COLUMNS": ""}),
    )
    os.close(theirs)
    output = b""
    with suppress(OSError):  # so Linux says that the other end is closed
        while chunk := os.read(ours, 65536):
            output += chunk
    os.close(ours)
    assert process.wait(timeout=60) == 0
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", output.decode()).replace("\r\n", "\n").splitlines()


@pytest.mark.parametrize("columns", [80, 160])
def test_at_a_terminal_an_event_has_a_line_and_its_reason_the_next(environment: dict[str, str], columns: int) -> None:
    lines = on_a_terminal(environment, "events", "list", "--company", "acme", columns=columns)
    rows = 1 if columns == 160 else 3  # the id alone takes most of 80 columns
    assert " ".join(lines[:rows]).split() == ["time", "company", "event", "what", "status", "attempts", "code"]
    skipped = next(at for at, line in enumerate(lines) if LONG_ID in line)
    end = skipped + (1 if columns == 160 else 2)
    assert lines[end - 1].split()[-4:] == ["customer", "10001", "skipped", "0"]
    reason = lines[end : end + (1 if columns == 160 else 2)]
    assert " ".join(line.strip() for line in reason) == f"{REASON} (Maja)"
    assert all(line.startswith("  ") for line in reason)
    assert len(lines) == 3 * rows + len(reason)
    assert [line for line in lines if len(line) > columns] == []


def test_a_time_has_its_zone_and_can_be_shown_in_utc(environment: dict[str, str]) -> None:
    for options, zone in ((), "Europe/Stockholm"), (("--utc",), "UTC"):
        listed = commands.run("events", "list", "--columns", "time", *options, environment=environment)
        times = [datetime.fromisoformat(line) for line in listed.stdout.splitlines()[1:]]
        assert times
        assert {at.utcoffset() for at in times} == {at.astimezone(ZoneInfo(zone)).utcoffset() for at in times}


def test_piped_an_event_is_a_line_of_values_between_tabs(environment: dict[str, str]) -> None:
    lines = commands.run("events", "list", "--company", "acme", environment=environment).stdout.splitlines()
    assert lines[0].split("\t") == [
        *("time", "company", "event", "what", "status", "attempts", "code", "reason", "said", "hadFailed"),
    ]
    rows = [dict(zip(lines[0].split("\t"), line.split("\t"), strict=True)) for line in lines[1:]]
    assert {row["event"]: row["reason"] for row in rows} == {LONG_ID: f"{REASON} (Maja)", "e2": ""}


def test_columns_can_be_chosen(environment: dict[str, str]) -> None:
    chosen = commands.run("events", "list", "--columns", "event,status", "--status", "skipped", environment=environment)
    assert chosen.stdout == f"event\tstatus\n{LONG_ID}\tskipped\n"
    unknown = commands.run("events", "list", "--columns", "event,cuase", environment=environment)
    assert (unknown.returncode, "cuase: there are time" in unknown.stderr) == (2, True)


def test_the_status_fits_a_terminal_and_is_whole_when_piped(environment: dict[str, str]) -> None:
    lines = on_a_terminal(environment, "status")
    assert lines[0].split() == ["company", "state", "ready", "skipped"]
    assert ["other-company-with-a-long-name", "not", "connected", "1", "0"] in [line.split() for line in lines]
    assert lines[-3].split() == ["all", "2", "1"]
    assert lines[-1].startswith("Fortnox's feed is off")
    piped = commands.run("status", environment=environment).stdout.splitlines()
    assert piped[0].split("\t")[:4] == ["company", "state", "waiting", "ready"]
    assert len(piped) == 3
    listed = commands.run("companies", "list", environment=environment).stdout.splitlines()
    assert listed[0] == "company\tstate"
    assert "other-company-with-a-long-name\tnot connected" in listed


@pytest.mark.parametrize(
    ("command", "names"),
    [
        (("companies", "settings", "acme"), "setting\tvalue\twhat"),
        (
            ("expenses", "status"),
            "company\tnext poll\tqueued\tawaiting approval\tfailed\tsent\tlisting",
        ),
    ],
    ids=["companies settings", "expenses status"],
)
def test_piped_every_list_is_plain_with_tabs_between_its_values(
    environment: dict[str, str], command: tuple[str, ...], names: str
) -> None:
    first, *rest = commands.run(*command, environment=environment).stdout.splitlines()
    assert first == names
    assert {line.count("\t") for line in rest} <= {names.count("\t")}


def test_a_setting_is_shown_as_it_is_given(environment: dict[str, str]) -> None:
    shown = commands.run("companies", "settings", "acme", environment=environment).stdout
    assert "swapReferences\tfalse\t" in shown


def test_a_row_has_no_second_line_where_nothing_is_on_it(environment: dict[str, str]) -> None:
    listed = on_a_terminal(environment, "events", "list", "--columns", "time,company,event,what,status,attempts,code")
    assert [line for line in listed if not line.strip()] == []


def test_piped_a_sentence_is_one_line_however_long(environment: dict[str, str]) -> None:
    done = commands.run("companies", "forget", "other-company-with-a-long-name", "--dry-run", environment=environment)
    assert len(done.stderr) > 80
    assert done.stderr.count("\n") == 1
