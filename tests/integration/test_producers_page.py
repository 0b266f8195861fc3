"""docs/producers.md: each program in it is run as it is written, and each example is an event that is delivered.

A language that is not on the machine is skipped; `.ci/run` installs all of them.
"""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from cryptography.fernet import Fernet
from redis import Redis

from config import load_settings
from config.environment import child_environment
from delivery.services import build_services
from messages import Message
from moment.events import event_json, parse_event
from moment.examples import EXAMPLES, example_json
from tests import commands
from tests.browsing import running_console
from tests.unattended import Unattended
from tests.unit.factories import customer_json
from worker.publish import publish

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "producers.md").read_text(encoding="utf-8")
NODE_MODULES = ROOT / ".local" / "node" / "node_modules"


class Snippet(NamedTuple):
    heading: str
    language: str
    code: str


def snippets() -> list[Snippet]:
    found = []
    for section in re.split(r"^#{2,3} ", PAGE, flags=re.MULTILINE)[1:]:
        heading = section.partition("\n")[0]
        found += [
            Snippet(heading, *one) for one in re.findall(r"^```(\w+)\n(.*?)^```$", section, re.DOTALL | re.MULTILINE)
        ]
    return found


def of(heading: str, language: str) -> list[str]:
    codes = [one.code for one in snippets() if (one.heading, one.language) == (heading, language)]
    assert codes, f"the page has no {language} under {heading}"
    return codes


def in_language(language: str, code: str, directory: Path) -> list[str]:
    """The command that runs the program; skips the test where the machine lacks the language."""
    name = {"python": "program.py", "js": "program.mjs", "php": "program.php", "sh": "program.sh"}[language]
    (directory / name).write_text(code, encoding="utf-8")
    if language == "python":
        return [sys.executable, name]
    program = {"js": "node", "php": "php", "sh": "sh"}[language]
    needed = [program, *(one for one in ("redis-cli", "curl") if one in code)]
    for one in needed:
        if shutil.which(one) is None:
            pytest.skip(f"{one} is not on this machine")
    if language == "js":
        if not (NODE_MODULES / "redis").exists():
            pytest.skip("Node's redis is not here: npm install --prefix .local/node redis@5")
        (directory / "node_modules").symlink_to(NODE_MODULES)
    if language == "php" and "redis" not in subprocess.check_output(["php", "-m"], text=True).split():
        pytest.skip("PHP's redis is not on this machine")
    return [program, name]


def run(language: str, code: str, directory: Path, redis_url: str = "", **given: str) -> str:
    command = in_language(language, code, directory)
    environment = child_environment({"REDIS_URL": redis_url, **given})
    done = subprocess.run(
        command, cwd=directory, env=environment, capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.returncode, done.stderr) == (0, ""), done.stderr
    return done.stdout


def let_in(redis: Any, user: str) -> None:
    """Make the user of the example, with a password that an address has to escape."""
    users = (ROOT / "redis-users.acl.example").read_text(encoding="utf-8").splitlines()
    rules = next(line for line in users if line.startswith(f"user {user} ")).split()[2:]
    redis.execute_command("ACL", "SETUSER", user, "reset", *rules, ">a+b/c")


@pytest.mark.parametrize(
    ("heading", "language"),
    [
        ("From Python without this package", "python"),
        ("From Node", "js"),
        ("From PHP", "php"),
        ("From redis-cli", "sh"),
    ],
)
@pytest.mark.parametrize("user", ["", "producer:a+b%2Fc@"], ids=["no password", "as the producer's user"])
def test_a_program_of_the_page_sends_its_event_and_ends(
    heading: str, language: str, user: str, redis_url: str, redis_client: Redis, tmp_path: Path
) -> None:
    (tmp_path / "event.json").write_text(example_json("customer.created"), encoding="utf-8")
    let_in(redis_client, "producer")
    for code in of(heading, language):
        redis_client.flushdb()
        run(language, code, tmp_path, redis_url.replace("redis://", f"redis://{user}"))
        if "send_task" in code:
            (message,) = redis_client.lrange("events", 0, -1)
            assert "events.receive" in json.loads(message)["headers"]["task"]
        else:
            ((_, fields),) = redis_client.xrange("moment:events")
            assert parse_event(fields[b"event"]) == parse_event(EXAMPLES["customer.created"])


def test_the_program_that_uses_this_package_publishes(redis_url: str, redis_client: Redis, tmp_path: Path) -> None:
    (code,) = of("From Python", "python")
    assert run("python", code, tmp_path, redis_url) == "False\n()\n"
    assert run("python", code, tmp_path, redis_url) == "True\n()\n"


def test_the_program_that_seals_a_code_writes_what_the_workers_can_open(
    redis_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "event.json"
    file.write_text(example_json("integration.enabled"), encoding="utf-8")
    ours, theirs = (Fernet.generate_key().decode() for _ in range(2))
    monkeypatch.setenv("PRODUCER_KEY", theirs)
    (code,) = of("A sealed code", "python")
    run("python", code, tmp_path, redis_url)

    settings = load_settings(
        None, redis_url=redis_url, fortnox_api_url="http://127.0.0.1:1", encryption_keys=f"{ours},{theirs}"
    )
    services = build_services(settings)
    publish(file.read_bytes(), services=services)
    stored = json.loads(services.ordering.body("acme", EXAMPLES["integration.enabled"]["id"]) or "")
    code = stored["integration"]["authorizationCode"]
    assert code not in file.read_text()
    assert services.vault.open(code) == "THE-ONE-TIME-CODE-FROM-FORTNOX"


def test_the_programs_of_the_page_follow_the_outcomes(unattended: Unattended, redis_url: str, tmp_path: Path) -> None:
    unattended.publish(customer_json(event_id="å1"))
    unattended.services.ordering.skip("acme", "å1", Message("transfer.disabled"))
    (python,) = of("What became of it", "python")
    let_in(unattended.services.redis, "outcomes")
    redis_url = redis_url.replace("redis://", "redis://outcomes:a+b%2Fc@")
    follow, *_ = of("What became of it", "sh")
    assert run("python", python, tmp_path, redis_url).startswith("acme å1 skipped ")
    assert run("python", python, tmp_path, redis_url) == ""  # it goes on behind what it has handled
    unattended.publish(customer_json(event_id="e2"))
    unattended.services.ordering.skip("acme", "e2", Message("transfer.disabled"))
    assert run("python", python, tmp_path, redis_url).startswith("acme e2 skipped ")
    assert "skipped" in run("sh", follow, tmp_path, redis_url)


def test_what_the_page_does_with_curl_works_as_it_is_copied(
    unattended: Unattended, redis_url: str, tmp_path: Path
) -> None:
    keys, send, ask = of("By HTTP", "sh")
    made, *rest = keys.splitlines()
    environment = {"REDIS_URL": redis_url, "FORTNOX_API_URL": unattended.sandbox.fortnox}
    key = commands.run(*made.split()[1:], environment=environment).stdout.strip()
    (tmp_path / "event.json").write_text(example_json("customer.created"), encoding="utf-8")
    lines = (json.dumps(EXAMPLES[name]) for name in ("customer.created", "project.created", "invoice.finalized"))
    (tmp_path / "events.jsonl").write_text("\n".join(lines), encoding="utf-8")
    with running_console(unattended.services) as address:
        given = {"KEY": key, "API": f"{address}/api/v1"}
        assert run("sh", send, tmp_path, **given) == '{"accepted":1,"known":0}{"accepted":2,"known":1}'
        unattended.services.ordering.skip("acme", EXAMPLES["customer.created"]["id"], Message("transfer.disabled"))
        answers = re.sub(r"}{", "}\n{", run("sh", ask, tmp_path, **given)).splitlines()
    event, companies, failures, retried, skipped = map(json.loads, answers)
    assert (event["id"], event["status"]) == ("e1", "skipped")
    assert [one["company"] for one in companies["companies"]] == ["acme"]
    assert failures == {"failures": []}
    assert (retried, skipped) == ({"status": "ready"}, {"status": "skipped"})
    for command in rest:
        assert commands.run(*command.split()[1:], environment=environment).returncode == 0


def test_the_command_answers_in_the_fields_of_the_stream(unattended: Unattended, redis_url: str) -> None:
    unattended.connect()
    for name in ("customer.created", "project.created", "invoice.finalized"):
        unattended.publish(EXAMPLES[name])
        assert unattended.run(EXAMPLES[name]["id"]) == "done"
    unattended.publish(EXAMPLES["invoice.finalized"] | {"id": "under-way"})
    entries: Any = unattended.services.redis.xrange("moment:outcomes")
    told = {fields["id"]: fields for _, fields in entries}

    for event_id in ("e1", "e3", "e5"):
        answered = commands.run("events", "status", event_id, "--json", environment={"REDIS_URL": redis_url})
        assert json.loads(answered.stdout) == told[event_id]
    assert (told["e5"]["documentNumber"], told["e5"]["voucher"]) == ("1001", "B 1")
    later = commands.run("events", "status", "under-way", "--json", environment={"REDIS_URL": redis_url})
    assert json.loads(later.stdout) | {"status": "", "key": ""} == {
        "id": "under-way", "company": "acme", "type": "invoice.finalized", "key": "", "status": "", "code": "",
        "reason": "", "documentNumber": "", "voucher": "", "at": None,
    }  # fmt: skip
    unknown = commands.run("events", "status", "nobodys", environment={"REDIS_URL": redis_url})
    assert (unknown.returncode, unknown.stderr.count("\n")) == (1, 1)


@pytest.mark.parametrize("name", EXAMPLES)
def test_an_example_is_whole_and_valid_and_the_page_and_the_command_show_it(name: str) -> None:
    assert example_json(name) in [one.code for one in snippets() if one.language == "json"]
    shown = commands.run("events", "example", name, environment={})
    assert (shown.returncode, shown.stdout) == (0, example_json(name))
    event = parse_event(shown.stdout)
    assert event.unknown_fields == ()
    assert json.loads(event_json(event)).keys() == EXAMPLES[name].keys()


def test_there_is_an_example_of_every_type_and_of_every_field() -> None:
    from delivery.admission import TYPES

    assert {example["type"] for example in EXAMPLES.values()} == TYPES
    schema = json.loads((ROOT / "docs" / "schema" / "events.schema.json").read_text(encoding="utf-8"))
    names = {name for model in schema["$defs"].values() for name in model["properties"]}
    shown = set(re.findall(r'"(\w+)":', "".join(map(example_json, EXAMPLES))))
    assert names - shown == {"url"}  # of a file, in place of its content


def test_a_type_that_is_none_is_refused_with_those_that_are() -> None:
    done = commands.run("events", "example", "customer.deleted", environment={})
    assert done.returncode == 2
    assert "customer.created" in done.stderr


def test_a_producers_own_settings_do_not_stop_publish(redis_url: str, redis_client: Redis, tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("LEASE_SECONDS=1000\nMOMENT_API_URL=none\n")
    others = {"LOG_FORMAT": "text", "SMTP_URL": "mailhost", "ALERTS_TO": "nobody", "SENTRY_DSN": "?"}
    code = f"from worker import publish\nprint(publish({customer_json()!r}).known)"
    environment = child_environment({"REDIS_URL": redis_url, "PYTHONPATH": str(ROOT), **others})
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.stdout, done.stderr) == ("False\n", "")
