"""docs/operations.md: every command in it works, every alarm has its section, every metric its line."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest
from prometheus_client import generate_latest
from ruamel.yaml import YAML
from typer.testing import CliRunner

from cli.main import cli
from local.stack import Stack
from messages.catalogue import say
from ordering import STATUSES
from stores.beat import beat_age
from tasks.flows import REPORT_SCHEDULE
from tests.acceptance.conftest import System
from tests.compose import services
from tests.unit.factories import customer_json, invoice_json
from tests.waiting import wait_until
from worker.bootstrap import create_app
from worker.metrics import PREFIX, registry

DOCS = Path(__file__).parents[2] / "docs"
TEXT = (DOCS / "operations.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```sh\n(.*?)^```", TEXT, flags=re.MULTILINE | re.DOTALL)
LINES = [line for block in BLOCKS for line in block.splitlines() if line]
OURS = [line for line in LINES if line.startswith("moment-fortnox ")]
HEADINGS = set(re.findall(r"^#+ (.*)$", TEXT, flags=re.MULTILINE))


@pytest.fixture(scope="module")
def troubled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    """A real system in which everything that the page talks of has happened, to events of these ids."""
    with Stack(Path(tmp_path_factory.mktemp("troubled"))) as stack:
        stack.start_services()
        stack.environment["FORTNOX_REDIRECT_URI"] = "https://integration.example/connected"
        stack.start_beat()
        stack.start_worker()
        system = System(stack, create_app(stack.settings))
        system.connect("acme")
        system.publish(customer_json())
        assert system.settled("acme", "e1").status == "done"
        for event_id, number in (("e3", 1001), ("e4", 1002)):
            event = invoice_json(event_id=event_id, invoice_number=number, project=None)
            event["invoice"]["lines"][0]["accountNumber"] = "9999"  # not in the company's chart
            system.publish(event)
            assert system.settled("acme", event_id).status == "failed"
        system.publish(customer_json(company="nobody", event_id="e7"))
        assert system.settled("nobody", "e7").status == "failed"  # it is not connected
        missing = {"id": 1, "customerNumber": "404"}
        system.publish(invoice_json(event_id="e6", invoice_number=1003, project=None, customer=missing))
        assert system.settled("acme", "e6").status == "held"
        stack.sandbox.fault("fail_next", status=503, count=99, path="/3/customers", body="html")
        system.publish(customer_json(event_id="e5", customer_number="10002"))
        wait_until(lambda: beat_age(system.app.services.redis, REPORT_SCHEDULE.name), what="beat's first tick")
        wait_until(lambda: waits_long(system, "e5"), what="e5 to wait for its third attempt")
        yield system


def waits_long(system: System, event_id: str) -> bool:
    record = system.app.services.ordering.event("acme", event_id)
    return record is not None and record.status == "retrying" and record.attempts >= 2


@pytest.fixture
def shell(troubled: System, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> CliRunner:
    """Commands run in this process, against those of the system."""
    monkeypatch.chdir(tmp_path)
    return CliRunner(env=troubled.stack.environment)


def test_every_command_of_the_page_works_as_it_is_copied(shell: CliRunner, troubled: System) -> None:
    assert len(OURS) > 20
    failed = {}
    for line in OURS:
        done = shell.invoke(cli, shlex.split(line)[1:])
        if done.exit_code != 0:
            failed[line] = done.output
    assert failed == {}
    given_up = troubled.app.services.ordering.event("acme", "e4")
    assert given_up is not None
    assert (given_up.status, say(given_up.reason)) == ("skipped", "entered by hand (Maja)")


def test_every_compose_command_names_services_of_the_compose_file() -> None:
    names = set(services())
    lines = [line for line in LINES if line.startswith("docker compose ") and "|" not in line]
    assert lines
    for line in lines:
        verb, *rest = line.removeprefix("docker compose ").split()
        assert verb in {"up", "stop", "start", "restart", "logs", "build", "down"}, line
        words = [word.partition("=")[0] for word in rest if not word.startswith("-") and not word.isdigit()]
        assert set(words) <= names, line


def test_every_alarm_has_a_section_and_names_it() -> None:
    rules = YAML(typ="safe", pure=True).load(DOCS / "alerts.yml")["groups"][0]["rules"]
    assert {rule["alert"] for rule in rules} <= HEADINGS
    for rule in rules:
        assert rule["annotations"]["runbook"] == f"docs/operations.md#{rule['alert'].lower()}"


def test_every_outcome_has_a_section() -> None:
    described = {name for heading in HEADINGS for name in heading.split(", ")}
    assert set(STATUSES) <= described


def test_every_metric_is_described(troubled: System) -> None:
    served = re.findall(
        r"^# TYPE (\w+) ", generate_latest(registry(troubled.app.services)).decode(), flags=re.MULTILINE
    )
    assert len(served) > 20
    assert [name for name in served if f"`{name.removeprefix(PREFIX)}`" not in TEXT] == []
