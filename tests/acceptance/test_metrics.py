"""The metrics as Prometheus gets them, from the process that serves them; the alerts and dashboard that name them."""

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from prometheus_client.parser import text_string_to_metric_families
from ruamel.yaml import YAML

from local import Processes
from local.redis import free_port
from tests.acceptance.conftest import System
from tests.compose import services
from tests.unit.factories import customer_json
from tests.waiting import wait_until

DOCS = Path(__file__).parents[2] / "docs"
NAME = re.compile(r"\bmoment_fortnox_\w+")


class Endpoint:
    """What is served, read anew at each question."""

    def __init__(self, address: str) -> None:
        self.address = address

    def text(self) -> str:
        return requests.get(self.address, timeout=30).text

    def samples(self) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
        families = text_string_to_metric_families(self.text())
        return {(s.name, frozenset(s.labels.items())): s.value for one in families for s in one.samples}

    def value(self, name: str, **labels: str) -> float | None:
        return self.samples().get((f"moment_fortnox_{name}", frozenset(labels.items())))


@pytest.fixture(scope="module")
def endpoint(system: System, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Endpoint]:
    """As docker-compose.yml serves it."""
    port = free_port()
    service = services()["metrics"]
    words = [word.replace("9464", str(port)).replace("0.0.0.0", "127.0.0.1") for word in service.local_command()]
    with Processes(Path(tmp_path_factory.mktemp("metrics"))) as processes:
        process = processes.start("metrics", words, env=system.stack.environment)
        process.wait_ready(lambda: "/metrics" in process.log_tail())
        yield Endpoint(f"http://127.0.0.1:{port}/metrics")


def test_what_is_delivered_refused_and_answered_is_counted(system: System, endpoint: Endpoint) -> None:
    system.connect("measured")
    before = endpoint.samples()
    system.stack.sandbox.fault("fail_next", status=429, count=1, path="/3/customers")
    system.publish(customer_json(company="measured"), customer_json(company="unmeasured"))
    assert system.settled("measured", "e1").status == "done"
    assert system.settled("unmeasured", "e1").status == "failed"

    def grown(name: str, **labels: str) -> float:
        key = (f"moment_fortnox_{name}", frozenset(labels.items()))
        return endpoint.samples().get(key, 0.0) - before.get(key, 0.0)

    wait_until(lambda: grown("delivery_seconds_count", kind="customer") == 1, what="the last attempt to be counted")
    assert grown("events_settled_total", type="customer.updated", outcome="done") == 1
    assert grown("events_settled_total", type="customer.updated", outcome="failed") == 1
    assert grown("attempts_unsettled_total", kind="customer", outcome="release") >= 1
    throttled = sum(
        value - before.get(key, 0.0)
        for key, value in endpoint.samples().items()
        if key[0] == "moment_fortnox_fortnox_requests_total" and ("status", "429") in key[1]
    )
    assert throttled == 1
    assert any(("path", "/3/customers") in key[1] for key in endpoint.samples())
    system.connect("mailed")  # failures of companies without an address share a mail, an hour after the last
    nameless = customer_json(company="mailed", event_id="bad", customer_number="1/2")
    system.app.send_task("events.receive", args=[nameless], queue="events")
    wait_until(lambda: grown("mails_total", outcome="sent") >= 1, what="the mail to be counted")
    assert endpoint.value("company_events", company="unmeasured", status="failed") == 1
    assert endpoint.value("company_events", company="measured", status="failed") is None
    assert (endpoint.value("companies", connection="connected") or 0) >= 1
    assert (endpoint.value("delivery_seconds_bucket", kind="customer", le="+Inf") or 0) >= 1


def test_each_part_shows_that_it_moves(system: System, endpoint: Endpoint) -> None:
    for part in ("pump", "worker", "beat"):
        wait_until(
            lambda part=part: (endpoint.value("tick_age_seconds", part=part) or 0) < 30,
            what=f"{part} to tick",
        )
    assert endpoint.value("up") == 1
    assert (endpoint.value("overdue_seconds") or 0) < 60


def names_served(endpoint: Endpoint) -> set[str]:
    """Every name that a query can use; a family that has no sample yet is announced all the same."""
    served = set()
    for name, kind in re.findall(r"^# TYPE (\w+) (\w+)$", endpoint.text(), flags=re.MULTILINE):
        served |= {f"{name}_bucket", f"{name}_sum", f"{name}_count"} if kind == "histogram" else {name}
    return served


def expressions() -> list[str]:
    rules: dict[str, Any] = YAML(typ="safe", pure=True).load(DOCS / "alerts.yml")
    alerts = [rule["expr"] for group in rules["groups"] for rule in group["rules"]]
    panels = json.loads((DOCS / "dashboard.json").read_text(encoding="utf-8"))["panels"]
    return alerts + [target["expr"] for panel in panels for target in panel["targets"]]


def test_every_metric_of_the_alerts_and_the_dashboard_is_served(endpoint: Endpoint) -> None:
    named = {name for expression in expressions() for name in NAME.findall(expression)}
    assert len(named) > 15
    assert named - names_served(endpoint) == set()


@pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool is not installed")
def test_promtool_accepts_the_alerts() -> None:
    subprocess.run(["promtool", "check", "rules", str(DOCS / "alerts.yml")], check=True, capture_output=True)


def test_thousands_of_companies_do_not_make_thousands_of_series(system: System, endpoint: Endpoint) -> None:
    redis = system.app.services.redis
    names = [f"many{number:04}" for number in range(3000)]
    with redis.pipeline(transaction=False) as pipeline:
        pipeline.sadd("mf:companies", *names)
        for name in names:
            pipeline.hset(f"mf:company:{name}", mapping={"n:failed": 1, "n:held": 1, "paused": "x"})
        pipeline.execute()
    try:
        series = endpoint.samples()
        assert len(series) < 2000
        total = series["moment_fortnox_events", frozenset({("status", "failed")})]
        assert total >= 3000
    finally:
        redis.srem("mf:companies", *names)
        redis.delete(*(f"mf:company:{name}" for name in names))


def test_a_redis_that_does_not_answer_is_a_metric(system: System, tmp_path: Path) -> None:
    environment = system.stack.environment | {"REDIS_URL": f"redis://127.0.0.1:{free_port()}/0"}
    command = [*services()["metrics"].local_command()[:-2], "--port=0"]
    with Processes(tmp_path) as processes:
        process = processes.start("metrics", command, env=environment)
        process.wait_ready(lambda: "/metrics" in process.log_tail())
        address = re.search(r"http://\S+", process.log_tail())
        assert address is not None
        text = requests.get(address[0], timeout=30).text
    assert "moment_fortnox_up 0.0" in text
