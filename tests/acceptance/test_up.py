"""`moment-fortnox up` as somebody uses it: started, started again beside it, stopped, and started the next day."""

import json
import re
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import requests

from local.processes import ManagedProcess
from local.redis import free_port
from tests import commands
from tests.unit.factories import customer_json
from tests.waiting import wait_until

# A shell lets its background jobs ignore Ctrl-C, and their children inherit that.
PROGRAM = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler); from cli import main; main()"


@contextmanager
def running(directory: Path, ports: dict[str, int], log: Path, *options: str) -> Iterator[ManagedProcess]:
    given = [part for name, port in ports.items() for part in (f"--port-{name}", str(port))]
    command = [sys.executable, "-c", PROGRAM, "up", "--directory", str(directory), *given, *options]
    with ManagedProcess("up", command, log=log) as up:
        up.wait_ready(lambda: "Ctrl-C stops everything" in up.log_tail(), timeout=120)
        yield up
        up.send_signal(signal.SIGINT)
        assert up.wait(timeout=120) == 0


def sign_in(port: int, password: str) -> str:
    """Sign in to the console. Return the first company that its start page names."""
    with requests.Session() as browser:
        html = browser.get(f"http://127.0.0.1:{port}/sign-in", timeout=30).text
        csrf = re.findall(r'name="csrf" value="(\w+)"', html)[0]
        form = {"name": "operator", "password": password, "csrf": csrf}
        page = browser.post(f"http://127.0.0.1:{port}/sign-in", data=form, timeout=30).text
        return re.findall(r'href="/companies/([^"]+)"', page)[0]


def test_what_was_published_is_there_after_a_restart_and_a_second_up_changes_nothing(tmp_path: Path) -> None:
    directory = tmp_path / "åäö and spaces"
    ports = {name: free_port() for name in ("fortnox", "moment", "smtp", "redis", "flower", "console")}
    environment = {"REDIS_URL": f"redis://127.0.0.1:{ports['redis']}/0", "FORTNOX_API_URL": "http://127.0.0.1:1"}

    def ledger() -> dict[str, object]:
        page = f"http://127.0.0.1:{ports['fortnox']}/_sandbox/state"
        return dict(requests.get(page, params={"tenant": "acme"}, timeout=30).json())

    with running(directory, ports, tmp_path / "first.log") as up:
        event = json.dumps(customer_json(event_id="mine", customer_number="777"))
        assert commands.run("publish", "-", stdin=event, environment=environment).returncode == 0
        assert commands.run("wait", "--timeout", "120", environment=environment).returncode == 0
        moment = f"http://127.0.0.1:{ports['moment']}/api/1.0/companies/acme/projectExpenses"
        wait_until(
            lambda: len(requests.get(moment, auth=("apikey", "sandbox-key"), timeout=30).json()["content"]) == 3,
            what="the sample day's expenses in Moment",
        )
        shown = requests.get(f"http://127.0.0.1:{ports['fortnox']}/", timeout=30).text
        for text in ("Kranar i Syd AB", "waits for approval", "Expenses in Moment <b>3</b>", "Reglar och plywood"):
            assert text in shown
        login = re.search(r"http://127.0.0.1:(\d+) +\(name operator, password (\S+)\)", up.log_tail(50))
        assert login
        assert int(login.group(1)) == ports["console"]
        assert sign_in(ports["console"], login.group(2)).startswith("acme")
        before = ledger()
        assert "777" in json.dumps(before["customers"])
        second = commands.run("up", "--directory", str(directory), environment={})
        assert second.returncode == 1
        assert f"already running (pid {up.pid}, http://127.0.0.1:{ports['fortnox']}/)" in " ".join(
            second.stderr.split()
        )
        elsewhere = commands.run(
            "up", "--directory", str(tmp_path / "other"), "--port-fortnox", str(ports["fortnox"]), environment={}
        )
        assert (elsewhere.returncode, elsewhere.stderr.count("\n")) == (1, 1)
        assert "--port-fortnox" in elsewhere.stderr

    with running(directory, ports, tmp_path / "second.log") as up:
        assert "continues with the data" in up.log_tail(50)
        assert ledger() == before
        listed = commands.run(
            "events", "list", "--company", "acme", "--number", "777", "--json", environment=environment
        )
        assert json.loads(listed.stdout)["id"] == "mine"
        changed = json.dumps(customer_json(event_id="later", customer_number="777", name="Nytt namn AB"))
        assert commands.run("publish", "-", stdin=changed, environment=environment).returncode == 0
        assert commands.run("wait", "--timeout", "120", environment=environment).returncode == 0
        assert "Nytt namn AB" in json.dumps(ledger()["customers"], ensure_ascii=False)
