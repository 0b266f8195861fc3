"""A field that is not of the contract is not used, and told: on the event, to its publisher, and in a metric."""

import json

import pytest
from prometheus_client import generate_latest

from delivery.admission import take
from stores.unknown_fields import MOST, OTHERS
from tests import commands
from tests.unattended import Unattended
from tests.unit.factories import customer_json
from worker.metrics import registry
from worker.publish import publish


def misspelt(event_id: str = "e1", field: str = "emial") -> dict[str, object]:
    event = customer_json(event_id=event_id)
    event["customer"][field] = "anna@ek.example"
    return event


def metrics(unattended: Unattended) -> list[str]:
    text = generate_latest(registry(unattended.services)).decode()
    return [line for line in text.splitlines() if line.startswith("moment_fortnox_unknown_fields_total")]


def test_a_misspelt_field_is_remarked_on_whichever_door_it_comes_through(unattended: Unattended) -> None:
    services = unattended.services
    receipt = publish(misspelt("by-call"), services=services)
    assert take(services, json.dumps(misspelt("by-stream"))) == "accepted"
    assert take(services, misspelt("by-stream")) == "known"

    assert receipt.unknown_fields == ("customer.emial",)
    for event_id in ("by-call", "by-stream"):
        (entry,) = services.telemetry.timeline.read("acme", event_id)
        assert (entry.what, entry.details) == ("unknown fields", {"fields": "customer.emial"})
    assert metrics(unattended) == ['moment_fortnox_unknown_fields_total{field="customer.emial"} 2.0']


def test_a_producer_cannot_make_endless_series(unattended: Unattended) -> None:
    for n in range(MOST + 10):
        publish(misspelt(f"e{n}", f"field{n}"), services=unattended.services)
    counted = unattended.services.telemetry.unknown_fields.read()
    assert len(counted) == MOST + 1
    assert counted[OTHERS] == 10
    assert len(metrics(unattended)) == MOST + 1


@pytest.mark.parametrize("json_", [False, True])
def test_the_command_says_so_too(redis_url: str, unattended: Unattended, json_: bool) -> None:
    text = "\ufeff" + json.dumps([misspelt(), customer_json(event_id="e2")], indent=2)
    arguments = ["publish", "-", *(["--json"] if json_ else [])]
    done = commands.run(*arguments, stdin=text, environment={"REDIS_URL": redis_url})

    assert done.returncode == 0, done.stderr
    if json_:
        assert json.loads(done.stdout) == {"accepted": 2, "known": 0, "unknownFields": {"customer.emial": 1}}
    else:
        assert done.stdout == "2 accepted\n"
        assert "customer.emial is no field of an event (1 of 2 have it)" in done.stderr
