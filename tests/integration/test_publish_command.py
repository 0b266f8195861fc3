"""`moment-fortnox publish`: all events of a file or none, each fault with its place, with `REDIS_URL` alone."""

import json
from pathlib import Path
from typing import Any

import pytest
from redis import Redis

from tests import commands
from tests.unit.factories import customer_json

GOOD, BAD = customer_json(), customer_json(event_id="e2", name=None)
MISSING = "customer.name: must be text, in quotation marks (given: null)"


def publish(redis_url: str, text: str, *options: str) -> Any:
    unset = dict.fromkeys(("FORTNOX_API_URL", "FORTNOX_CLIENT_ID", "FORTNOX_CLIENT_SECRET", "MOMENT_API_KEY"), "")
    return commands.run("publish", "-", *options, stdin=text, environment={"REDIS_URL": redis_url, **unset})


@pytest.mark.parametrize(
    ("text", "place"),
    [
        (f"{json.dumps(GOOD)}\n{json.dumps(BAD)}", "line 2"),
        (json.dumps([GOOD, BAD]), "item 2, line 1"),
        (json.dumps(BAD, indent=2), "line 1"),
        ("\ufeff\n" + json.dumps([BAD], indent=2), "item 1, line 3"),
    ],
    ids=["lines", "array", "object", "array after a byte order mark"],
)
def test_a_fault_is_named_by_its_place_and_nothing_is_accepted(
    redis_url: str, redis_client: Redis, text: str, place: str
) -> None:
    done = publish(redis_url, text)
    assert done.returncode == 1
    assert f"{place}: {MISSING}" in done.stderr
    assert "Nothing was accepted" in done.stderr
    assert redis_client.dbsize() == 0


def test_programs_get_the_place_as_numbers(redis_url: str, redis_client: Redis) -> None:
    refused = json.loads(publish(redis_url, json.dumps([GOOD, BAD]), "--json").stdout)["refused"]
    assert [(one["line"], one["item"], one["path"]) for one in refused] == [(1, 2, "customer.name")]
    refused = json.loads(publish(redis_url, json.dumps(BAD), "--json").stdout)["refused"]
    assert [(one["line"], one["item"], one["path"]) for one in refused] == [(1, None, "customer.name")]


def test_an_array_that_was_cut_is_refused_whole(redis_url: str, redis_client: Redis) -> None:
    done = publish(redis_url, json.dumps([GOOD])[:-1])
    assert (done.returncode, redis_client.dbsize()) == (1, 0)
    assert "without its closing bracket" in done.stderr


def test_a_pretty_printed_object_is_accepted_with_redis_url_alone(redis_url: str, redis_client: Redis) -> None:
    done = publish(redis_url, json.dumps(GOOD, indent=2))
    assert (done.returncode, done.stdout, done.stderr) == (0, "1 accepted\n", "")
    assert redis_client.exists("mf:event:acme:e1")


def test_a_file_in_utf_16_is_one_clear_line(redis_url: str, tmp_path: Path) -> None:
    file = tmp_path / "events.json"
    file.write_text(json.dumps(GOOD), encoding="utf-16")
    done = commands.run("publish", str(file), environment={"REDIS_URL": redis_url})
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert "is UTF-16" in done.stderr


def test_a_file_in_another_encoding_is_one_line_that_says_where(redis_url: str, tmp_path: Path) -> None:
    file = tmp_path / "events.json"
    file.write_text(
        json.dumps({"company": "acme", "name": "Skånska"}, ensure_ascii=False, indent=1), encoding="latin-1"
    )
    done = commands.run("publish", str(file), environment={"REDIS_URL": redis_url})
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == f"error: {file} is not UTF-8, as line 3 shows: save it as UTF-8\n"
