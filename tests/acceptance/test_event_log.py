"""The transfer log through real processes: timelines, finding, exporting, retrying by cause, giving up."""

import csv
import io
import json
from typing import Any

from tests.acceptance.conftest import System
from tests.unit.factories import customer_json, invoice_json
from tests.waiting import wait_until


def shown(system: System, company: str, event_id: str) -> dict[str, Any]:
    told: dict[str, Any] = json.loads(system.run("events", "show", company, event_id, "--json").stdout)
    return told


def steps(system: System, company: str, event_id: str) -> list[str]:
    return [entry["what"] for entry in shown(system, company, event_id)["timeline"]]


def listed(system: System, *options: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in system.run("events", "list", "--json", *options).stdout.splitlines()]


def test_an_events_timeline_tells_every_attempt_and_request(system: System) -> None:
    system.connect("told")
    system.stack.sandbox.fault("fail_next", status=503, count=1, path="/3/customers", body="html")
    system.publish(customer_json(company="told"))
    assert system.settled("told", "e1").status == "done"
    wait_until(lambda: steps(system, "told", "e1").count("claimed") == 2, what="both attempts in the timeline")
    timeline = shown(system, "told", "e1")["timeline"]
    first = [entry["what"] for entry in timeline[:4]]
    assert first == ["admitted", "claimed", "request", "targetunavailable"]
    refused, trouble = timeline[2:4]
    assert (refused["status"], refused["path"].startswith("/3/customers")) == (503, True)
    assert refused["ms"] >= 0
    assert trouble["next"] > trouble["at"]
    assert trouble["reason"]
    assert timeline[4]["attempt"] == 2
    assert {entry["status"] for entry in timeline[5:-1]} <= {200, 201, 404}
    assert "10001" not in json.dumps([entry for entry in timeline if entry["what"] == "request"])
    words = system.run("events", "show", "told", "e1").stdout
    assert "again at" in words
    assert "attempt 2" in words


def test_events_are_found_by_number_and_status_and_exported(system: System) -> None:
    system.connect("logged")
    system.publish(customer_json(company="logged"), invoice_json(company="logged", event_id="i1", project=None))
    system.publish(
        customer_json(company="logged", event_id="bad", customer_number="77", name="=HYPERLINK(1)", email="x")
    )
    for event_id in ("e1", "i1", "bad"):
        system.settled("logged", event_id)
    by_number = listed(system, "--company", "logged", "--number", "1001")
    assert [one["id"] for one in by_number] == ["i1"]
    assert by_number[0]["key"] == "logged/invoice/1001"
    assert {one["id"] for one in listed(system, "--company", "logged", "--status", "done")} >= {"e1", "logged-enabled"}
    assert len(listed(system, "--company", "logged", "--limit", "2")) == 2

    def written() -> dict[str, Any] | None:
        """The export, once the worker has written the requests of its last attempts."""
        exported = system.run("events", "export", "--company", "logged")
        rows = {row["id"]: row for row in map(json.loads, exported.stdout.splitlines())}
        return rows if rows["e1"]["requests"] and rows["bad"]["requests"] else None

    rows = wait_until(written, what="the requests in the export")
    assert rows is not None
    assert rows.keys() == {"e1", "i1", "bad", "logged-enabled"}
    assert rows["e1"]["number"] == "10001"
    used = [one for one in system.stack.sandbox.requests("logged") if "/3/customers" in one]
    assert rows["e1"]["requests"] >= 1
    assert rows["e1"]["requests"] + rows["bad"]["requests"] == len(used)
    assert rows["e1"]["seconds"] > 0
    table = system.run("events", "export", "--company", "logged", "--format", "csv", "--number", "10001")
    assert [row["status"] for row in csv.DictReader(io.StringIO(table.stdout))] == [rows["e1"]["status"]]
    nothing = system.run("events", "export", "--company", "logged", "--format", "csv", "--number", "none")
    assert nothing.stdout == table.stdout.splitlines(keepends=True)[0]


def test_events_of_one_cause_are_retried_together(system: System) -> None:
    for number in ("1", "2"):
        system.publish(customer_json(company="unconnected", event_id=f"e{number}", customer_number=number))
    for event_id in ("e1", "e2"):
        assert system.settled("unconnected", event_id).status == "failed"
    none = system.run("events", "retry", "--all-failed", "unconnected", "--code", "2000433")
    assert (none.returncode, "no such failed events" in none.stderr) == (1, True)
    system.connect("unconnected")
    other = customer_json(company="unconnected", event_id="other", customer_number="1/2")
    system.app.send_task("events.receive", args=[other], queue="events")
    assert system.settled("unconnected", "other").status == "failed"
    like = system.run("events", "retry", "--all-failed", "unconnected", "--like", "other")
    assert [line.partition(":")[0] for line in like.stdout.splitlines()] == ["unconnected other", "1 retried"]
    gone = system.run("events", "retry", "--all-failed", "unconnected", "--like", "nothing")
    assert (gone.returncode, "no such event" in gone.stderr) == (1, True)
    done = system.run("events", "retry", "--all-failed", "unconnected", "--cause", "NOT connected", "--by", "Maja")
    assert "2 retried" in done.stdout
    assert system.settled("unconnected", "e2").status == "done"
    wait_until(
        lambda: {"failed", "retried by hand"} <= set(steps(system, "unconnected", "e2")), what="the whole timeline"
    )
    by = [one.get("by") for one in shown(system, "unconnected", "e2")["timeline"] if one["what"] == "retried by hand"]
    assert by == ["Maja"]


def test_retrying_an_invoice_that_is_not_the_newest_of_its_number_says_so(system: System) -> None:
    system.publish(invoice_json(company="overtaken", event_id="i1"))
    assert system.settled("overtaken", "i1").status == "failed"
    system.publish(invoice_json(company="overtaken", event_id="i2"))
    assert system.settled("overtaken", "i2").status in ("failed", "held")
    retried = system.run("events", "retry", "overtaken", "i1")
    assert retried.returncode == 0, retried.stderr
    assert "not the newest of overtaken/invoice/1001" in retried.stdout


def test_a_skipped_event_lets_go_what_it_held_and_keeps_who_and_why(system: System) -> None:
    system.publish(customer_json(company="letgo"))
    assert system.settled("letgo", "e1").status == "failed"
    system.publish(invoice_json(company="letgo", event_id="i1", project=None))
    assert system.settled("letgo", "i1").status == "held"
    skipped = system.run("events", "skip", "letgo", "e1", "--reason", "made by hand", "--by", "Maja")
    assert "1 that waited for it may go on" in skipped.stdout
    assert system.settled("letgo", "i1").status == "failed"  # the company is still not connected
    told = shown(system, "letgo", "e1")
    assert told["reason"] == "made by hand (Maja)"
    assert told["timeline"][-1]["what"] == "skipped by hand"
    again = system.run("events", "skip", "letgo", "e1")
    assert again.returncode == 1
    assert "it is skipped" in again.stderr
