"""Malformed events, messages, entries and answers beside good ones: none is lost, none ends anything.

`make malformed` runs 2,000 a door and prints what became of them.
"""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import commands
from tests.malformed.run import DOORS, ODD, Running, running, through_answers, variants
from tests.unit.factories import customer_json
from tests.waiting import wait_until


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with running(Path(tmp_path_factory.mktemp("malformed"))) as system:
        yield system


def is_line(raw: bytes) -> bool:
    try:
        return len(raw.decode().splitlines()) == 1
    except UnicodeDecodeError:  # the command refuses the file as a whole
        return False


COUNTS = [pytest.param(100, id="short"), pytest.param(2000, id="whole", marks=pytest.mark.proof)]


@pytest.mark.parametrize("count", COUNTS)
@pytest.mark.parametrize("door", DOORS)
def test_whatever_comes_through_a_door_is_accepted_refused_or_kept(system: Running, door: str, count: int) -> None:
    result = DOORS[door](system, count, seed=count)
    assert (result.lost, result.crashed) == ([], [])
    assert result.accepted + result.refused + result.kept == count
    assert result.waits


@pytest.mark.parametrize("count", COUNTS)
def test_whatever_fortnox_and_moment_answer_is_a_value_or_an_error_of_its_tree(count: int) -> None:
    result = through_answers(count, seed=count)
    assert result.crashed == []
    assert result.accepted + result.refused == count


def test_the_command_names_each_malformed_line_and_accepts_none(system: Running, tmp_path: Path) -> None:
    lines = [raw for _, _, raw in variants("publish", 100, seed=7) if is_line(raw)]
    good = customer_json(event_id="in-bad-company", company=ODD)
    (tmp_path / "events.jsonl").write_bytes(b"\n".join([*lines, json.dumps(good).encode()]))
    done = commands.run("publish", str(tmp_path / "events.jsonl"), environment=system.stack.environment)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert len([line for line in done.stderr.splitlines() if line.startswith("line ")]) > 50
    assert system.services.ordering.event(ODD, "in-bad-company") is None


def test_an_event_that_was_corrected_is_accepted_under_its_id(system: Running) -> None:
    for event in (
        {**customer_json(event_id="typo", company=ODD), "customer": {}},
        customer_json(event_id="typo", company=ODD),
    ):
        system.services.redis.xadd("moment:events", {"event": json.dumps(event)})
    wait_until(
        lambda: (
            (found := system.services.ordering.event(ODD, "typo"))
            and found.type == "customer.updated"
            and "invalid" not in found.key
        ),
        what="the corrected event",
    )
