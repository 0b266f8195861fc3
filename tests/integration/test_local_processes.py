"""Child processes start, announce themselves, are stopped in order, and never outlive their parent."""

import os
import signal
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from local import DeadlineExceeded, ManagedProcess, ProcessDied, Processes, wait_until

SLEEPER = "import time; print('up', flush=True); time.sleep(60)"
STUBBORN = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); " + SLEEPER
WITH_CHILD = (
    "import subprocess, sys, time; "
    "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)']); "
    "print('{\"child\": %d}' % child.pid, flush=True); time.sleep(60)"
)


@pytest.fixture
def processes(tmp_path: Path) -> Iterator[Processes]:
    with Processes(tmp_path) as processes:
        yield processes


def python(code: str) -> list[str]:
    return [sys.executable, "-c", code]


def is_alive(pid: int) -> bool:
    try:
        return bool(psutil.Process(pid).status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def wait_gone(*pids: int, timeout: float = 10) -> None:
    wait_until(lambda: not any(map(is_alive, pids)), what=f"processes {pids} to end", timeout=timeout)


def test_a_child_is_ready_when_its_check_says_so(processes: Processes) -> None:
    child = processes.start("child", python(SLEEPER))

    child.wait_ready(lambda: "up" in child.log_tail())

    assert child.is_running


def test_a_child_announces_itself_with_a_line_of_json(processes: Processes) -> None:
    child = processes.start("child", python("print('noise'); print('[1]'); print('{\"n\": 1}'); print('{\"n\": 2}')"))

    assert child.wait_json(lambda line: line.get("n") == 2) == {"n": 2}


def test_a_child_sees_our_environment_with_the_overrides_on_top(
    processes: Processes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OURS", "kept")
    monkeypatch.setenv("CHANGED", "before")

    code = "import json, os; print(json.dumps({name: os.environ[name] for name in ('OURS', 'CHANGED')}))"
    child = processes.start("child", python(code), env={"CHANGED": "after"})

    assert child.wait_json() == {"OURS": "kept", "CHANGED": "after"}


def test_an_early_death_is_reported_with_the_end_of_the_log(processes: Processes) -> None:
    child = processes.start("child", python("print('the reason'); raise SystemExit(3)"))

    with pytest.raises(ProcessDied, match=r"child ended with status 3(.|\n)*the reason"):
        child.wait_ready(lambda: False)
    with pytest.raises(ProcessDied, match="child"):
        processes.check()


def test_a_child_that_is_never_ready_is_reported_with_the_end_of_its_log(processes: Processes) -> None:
    child = processes.start("child", python(SLEEPER))
    child.wait_ready(lambda: "up" in child.log_tail())

    with pytest.raises(DeadlineExceeded, match=r"waited 0.1 s for child to be ready(.|\n)*up"):
        child.wait_ready(lambda: False, timeout=0.1)


def test_a_child_that_ignores_the_request_to_end_is_killed(processes: Processes) -> None:
    child = processes.start("child", python(STUBBORN))
    child.wait_ready(lambda: "up" in child.log_tail())

    child.stop(timeout=0.2)

    assert child.status == -signal.SIGKILL


def test_stopping_ends_the_children_of_a_child_too(processes: Processes) -> None:
    child = processes.start("child", python(WITH_CHILD))
    grandchild = child.wait_json()["child"]
    assert isinstance(grandchild, int)

    child.stop()

    wait_gone(grandchild)


def test_the_last_started_is_stopped_first(tmp_path: Path) -> None:
    journal = tmp_path / "journal"
    code = (
        "import signal, sys, time\n"
        "def end(*_):\n"
        f"    open({str(journal)!r}, 'a').write(sys.argv[1] + '\\n'); sys.exit()\n"
        "signal.signal(signal.SIGTERM, end); print('up', flush=True); time.sleep(60)"
    )
    with Processes(tmp_path) as processes:
        for name in ("first", "second", "third"):
            child = processes.start(name, [*python(code), name])
            child.wait_ready(lambda child=child: "up" in child.log_tail())  # type: ignore[misc]

    assert journal.read_text().split() == ["third", "second", "first"]


def test_a_child_can_be_started_again_after_a_crash(tmp_path: Path) -> None:
    with ManagedProcess("child", python(SLEEPER), log=tmp_path / "log") as child:
        first = child.pid
        child.kill()
        assert child.status == -signal.SIGKILL

        child.start()

        assert child.is_running
        assert child.pid != first


def test_a_running_child_is_not_started_twice(processes: Processes) -> None:
    child = processes.start("child", python(SLEEPER))

    with pytest.raises(RuntimeError, match="running already"):
        child.start()


@pytest.mark.parametrize("how", ["sigkill", "sigterm", "exit without stopping"])
def test_no_child_outlives_its_parent(tmp_path: Path, how: str) -> None:
    parent = subprocess.Popen(
        python(
            textwrap.dedent(f"""
            import time
            from pathlib import Path
            from local import Processes
            processes = Processes(Path({str(tmp_path)!r}))
            child = processes.start("child", {python(WITH_CHILD)!r})
            other = processes.start("other", {python(STUBBORN if how == "sigkill" else SLEEPER)!r})
            other.wait_ready(lambda: "up" in other.log_tail())
            print(child.pid, other.pid, child.wait_json()["child"], flush=True)
            if {how!r} != "exit without stopping":
                time.sleep(60)
            """)
        ),
        stdout=subprocess.PIPE,
        text=True,
    )
    with parent:
        assert parent.stdout is not None
        pids = [int(pid) for pid in parent.stdout.readline().split()]
        if how == "sigkill":
            assert all(map(is_alive, pids))
            parent.kill()
        elif how == "sigterm":
            parent.terminate()

    wait_gone(*pids)


def test_the_reaper_ends_with_its_parent(tmp_path: Path) -> None:
    code = (
        "import psutil; from pathlib import Path; from local import Processes\n"
        f"with Processes(Path({str(tmp_path)!r})) as processes:\n"
        f"    processes.start('child', {python(SLEEPER)!r})\n"
        "print(*[child.pid for child in psutil.Process().children()])"
    )
    left = subprocess.run(python(code), capture_output=True, text=True, check=True, timeout=30).stdout.split()

    assert len(left) == 1  # the reaper was there at the end, and nothing else
    wait_gone(*map(int, left))


def test_signalling_an_ended_child_does_nothing(processes: Processes) -> None:
    child = processes.start("child", python("pass"))
    assert child.wait(timeout=10) == 0

    child.send_signal(signal.SIGKILL)
    child.stop()

    assert child.status == 0
    assert os.getpid()  # we were not in its group
