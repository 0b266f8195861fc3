"""docs/alerts.yml: each rule fires when it should and only then (Prometheus' own `promtool` says, where it is
installed), and no rule compares what has labels with what has none, which would never match.
"""

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from ruamel.yaml import YAML

ALERTS = Path(__file__).parents[2] / "docs" / "alerts.yml"
RULES: list[dict[str, Any]] = YAML(typ="safe", pure=True).load(ALERTS)["groups"][0]["rules"]
SCRAPED = {"instance": "127.0.0.1:9464", "job": "moment-fortnox"}  # what Prometheus adds to all that it scrapes
PARTS = ("pump", "worker", "beat", "mail", "polls")


class Case(NamedTuple):
    """Values by series, a number for one that stays and Prometheus' notation for another; and whether it is told."""

    alert: str
    series: dict[str, Any]
    after: str  # how long it has been so
    fires: bool
    labels: dict[str, str] = {}  # noqa: RUF012 - never changed


def heartbeats(*without: str, **ages: int) -> dict[str, Any]:
    return {f'tick_age_seconds{{part="{part}"}}': ages.get(part, 5) for part in PARTS if part not in without}


def settled(failed: int, done: int) -> dict[str, Any]:
    """So many a minute."""
    return {
        f'events_settled_total{{type="invoice.finalized",outcome="{outcome}"}}': f"0+{n}x200"
        for outcome, n in (("failed", failed), ("done", done))
    }


UP = {"up": 1}
CASES = [
    Case("MetricsMissing", {}, "5m", True),
    Case("MetricsMissing", UP, "5m", False),
    Case("RedisDown", {"up": 0}, "5m", True),
    Case("RedisDown", UP, "5m", False),
    Case("RedisLostData", {"redis_losses": 1}, "2m", True),
    Case("RedisLostData", {"redis_losses": 0}, "2m", False),
    Case("DeliveryStuck", heartbeats(pump=90) | {"overdue_seconds": 0}, "5m", True, {"part": "pump"}),
    Case("DeliveryStuck", heartbeats() | {"overdue_seconds": 90}, "5m", True),
    Case("DeliveryStuck", heartbeats(worker=90) | {"overdue_seconds": 1}, "5m", False),
    Case("NoWorkerTakesTransfers", heartbeats(worker=200), "5m", True, {"part": "worker"}),
    Case("NoWorkerTakesTransfers", heartbeats(mail=200), "5m", False),
    Case("BeatStopped", heartbeats(beat=130), "5m", True, {"part": "beat"}),
    Case("BeatStopped", heartbeats(), "5m", False),
    Case("BackgroundStopped", heartbeats(mail=700), "5m", True, {"part": "mail"}),
    Case("BackgroundStopped", heartbeats(polls=700), "5m", True, {"part": "polls"}),
    Case("BackgroundStopped", heartbeats(worker=700, polls=500), "5m", False),
    Case("StreamStuck", {"stream_oldest_entry_age_seconds": 90}, "5m", True),
    Case("StreamStuck", {"stream_oldest_entry_age_seconds": 30}, "5m", False),
    Case("DamagedEvents", {"damaged_events": 2}, "2m", True),
    Case("DamagedEvents", {"damaged_events": 0}, "2m", False),
    Case("ThreadDown", {'threads_down{thread="stream reader"}': 1}, "5m", True, {"thread": "stream reader"}),
    Case("ThreadDown", {'threads_down{thread="stream reader"}': 0}, "5m", False),
    *(Case("NeverRan", UP | heartbeats(part), "10m", True, {"part": part}) for part in PARTS),
    Case("NeverRan", UP | heartbeats(), "10m", False),
    Case("NeverRan", {"up": 0}, "10m", False),  # that is RedisDown
    Case("NeverRan", {}, "10m", False),  # and that MetricsMissing
    Case("OldEvents", {"oldest_event_age_seconds": 3700}, "15m", True),
    Case("OldEvents", {"oldest_event_age_seconds": 3500}, "15m", False),
    Case("FortnoxDown", {"companies_probing": 6, 'companies{connection="connected"}': 10}, "10m", True),
    Case("FortnoxDown", {"companies_probing": 4, 'companies{connection="connected"}': 10}, "10m", False),
    Case("FortnoxDown", {"companies_probing": 2, 'companies{connection="connected"}': 2}, "10m", False),
    Case("CompanyPaused", {'company_paused{company="acme"}': 1}, "25h", True, {"company": "acme"}),
    Case("CompanyPaused", {'company_paused{company="acme"}': 1}, "23h", False),
    Case("ManyFailures", settled(failed=3, done=9), "60m", True),
    Case("ManyFailures", settled(failed=3, done=90), "60m", False),
    Case("ManyFailures", settled(failed=1, done=0), "60m", False),
    Case("FailuresUntended", {'company_oldest_failed_age_seconds{company="a"}': 260_000}, "1h", True, {"company": "a"}),
    Case("FailuresUntended", {'company_oldest_failed_age_seconds{company="a"}': 250_000}, "1h", False),
    Case("MailsNotSent", {"reports_waiting": 1}, "95m", True),
    Case("MailsNotSent", {"reports_waiting": 0}, "95m", False),
    Case("Throttled", {'fortnox_requests_total{method="GET",path="/3/x",status="429"}': "0+2x200"}, "60m", True),
    Case("Throttled", {'fortnox_requests_total{method="GET",path="/3/x",status="200"}': "0+9x200"}, "60m", False),
    Case("FeedDown", {"feed_connected": 0}, "40m", True),
    Case("FeedDown", {"feed_connected": 1}, "40m", False),
    Case("FeedDown", {}, "40m", False),  # it is switched off
    Case("PollsLate", {"poll_age_seconds_max": 3700}, "20m", True),
    Case("PollsLate", {"poll_age_seconds_max": 600}, "20m", False),
]


def as_test(case: Case) -> dict[str, Any]:
    """https://prometheus.io/docs/prometheus/latest/configuration/unit_testing_rules/"""
    added = ",".join(f'{name}="{value}"' for name, value in SCRAPED.items())
    series = [
        {
            "series": f"moment_fortnox_{name[:-1]},{added}}}"
            if name.endswith("}")
            else f"moment_fortnox_{name}{{{added}}}",
            "values": f"{value}x2000" if isinstance(value, int) else value,
        }
        for name, value in case.series.items()
    ]
    return {
        "name": f"{case.alert} {'fires' if case.fires else 'is quiet'} at {case.series}",
        "interval": "1m",
        "input_series": series,
        "promql_expr_test": [
            {
                "expr": f'count(ALERTS{{alertname="{case.alert}",alertstate="firing"{_of(case.labels)}}})',
                "eval_time": case.after,
                "exp_samples": [{"labels": "{}", "value": 1}] if case.fires else [],
            }
        ],
    }


def _of(labels: dict[str, str]) -> str:
    return "".join(f',{name}="{value}"' for name, value in labels.items())


def test_each_alarm_is_tried_when_it_should_be_told_and_when_not() -> None:
    for fires in (True, False):
        assert {case.alert for case in CASES if case.fires is fires} == {rule["alert"] for rule in RULES}


@pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool is not installed")
def test_each_alarm_is_told_when_it_should_be_and_only_then(tmp_path: Path) -> None:
    tests = tmp_path / "tests.yml"  # JSON is YAML
    given = {"rule_files": [str(ALERTS)], "evaluation_interval": "1m", "tests": [as_test(case) for case in CASES]}
    tests.write_text(json.dumps(given), encoding="utf-8")

    told = subprocess.run(["promtool", "test", "rules", str(tests)], capture_output=True, text=True, check=False)

    assert told.returncode == 0, told.stdout + told.stderr


SIDES = re.compile(r"\s(?:and|unless|[<>=!]=?|[-+*/])\s")  # binary operators: both sides must have the same labels
SELECTED = re.compile(r"\bmoment_fortnox_\w+(?:\{[^}]*\})?")
GATHERED = re.compile(r"\b(?:sum|max|min|count|absent)\((?:[^()]|\([^()]*\))*\)")  # leave no label, or those asked for


def labelled(side: str) -> bool | None:
    """Whether it has the labels of what is scraped; None for a number."""
    if SELECTED.search(GATHERED.sub("", side)):
        return True
    return False if GATHERED.search(side) else None


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule["alert"])
def test_no_rule_compares_what_has_labels_with_what_has_none(rule: dict[str, Any]) -> None:
    for alternative in rule["expr"].split(" or "):
        if " on() " in alternative:
            continue  # says itself that labels do not matter
        sides = {labelled(side) for side in SIDES.split(alternative)} - {None}
        assert len(sides) == 1, alternative


def test_the_check_of_labels_knows_what_never_matches() -> None:
    assert [labelled(side) for side in ("moment_fortnox_x", "sum(rate(moment_fortnox_x[5m]))", "0.5")] == [
        True,
        False,
        None,
    ]
