"""Child processes with a log file and a readiness check, which end with this process.

Each child leads a process group of its own. Ctrl-C reaches only the parent, which stops its children in order; a
stop reaches their children too (Celery's pool). When the parent dies without stopping them, the reaper
(`reaper.py`) does.
"""

import atexit
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self, TypeVar

from config.environment import child_environment
from local import reaper
from local.waiting import DeadlineExceeded, wait_until

T = TypeVar("T")

TAIL_LINES = 20


class ProcessDied(Exception):
    """A child ended that should be running. Holds its exit status and the end of its log."""

    def __init__(self, name: str, status: int, log_tail: str) -> None:
        super().__init__(name, status, log_tail)
        self.name = name
        self.status = status
        self.log_tail = log_tail

    def __str__(self) -> str:
        how = f"was ended by signal {-self.status}" if self.status < 0 else f"ended with status {self.status}"
        return f"{self.name} {how}; the end of its log:\n{self.log_tail or '(empty)'}"


class ManagedProcess:
    """One child process. `start` it, wait until it is ready, `stop` it; or use it as a context manager.

    `env` is added to this process's environment. Standard output and error go to `log`, which each start empties.
    """

    def __init__(
        self,
        name: str,
        command: Sequence[str | os.PathLike[str]],
        *,
        log: Path,
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
    ) -> None:
        self.name = name
        self.command = [os.fspath(part) for part in command]
        self.log = log
        self._env = dict(env or {})
        self._cwd = cwd
        self._popen: subprocess.Popen[bytes] | None = None
        self._status: int | None = None

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def pid(self) -> int:
        """The running child's process id. Raises `RuntimeError` before the first start."""
        return self._started().pid

    @property
    def status(self) -> int | None:
        """The exit status (negative: the signal that ended it), None while it runs or was never started."""
        if self._popen is not None and self._status is None:
            self._settle(self._popen.poll())
        return self._status

    @property
    def is_running(self) -> bool:
        return self._popen is not None and self.status is None

    def start(self) -> Self:
        """Start the child. Raises `FileNotFoundError` where there is no such program."""
        if self.is_running:
            raise RuntimeError(f"{self.name} is running already")
        self.log.parent.mkdir(parents=True, exist_ok=True)
        with self.log.open("wb") as log:
            self._popen = subprocess.Popen(
                self.command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=child_environment({"PYTHONUNBUFFERED": "1", **self._env}),
                cwd=self._cwd,
                start_new_session=True,
            )
        self._status = None
        _reaper.watch(self._popen.pid)
        return self

    def wait_ready(self, ready: Callable[[], object], *, timeout: float = 120.0) -> Self:
        """Wait until `ready()` is truthy.

        Raises `ProcessDied` if the child ends first and `DeadlineExceeded` after `timeout` seconds.
        """

        def running_and_ready() -> bool:
            self.check()
            return bool(ready())

        self._wait(running_and_ready, f"{self.name} to be ready", timeout)
        return self

    def wait_json(
        self, accept: Callable[[dict[str, object]], object] = bool, *, timeout: float = 120.0
    ) -> dict[str, object]:
        """The first line of the child's output that is a JSON object for which `accept` is truthy.

        Raises `ProcessDied` if the child ends first and `DeadlineExceeded` after `timeout` seconds.
        """

        def announced() -> dict[str, object] | None:
            found = next((line for line in self._json_lines() if accept(line)), None)
            if found is None:
                self.check()
            return found

        found = self._wait(announced, f"{self.name} to announce itself", timeout)
        assert found is not None
        return found

    def check(self) -> None:
        """Raises `ProcessDied` when the child is not running."""
        status = self.status
        if status is not None:
            raise ProcessDied(self.name, status, self.log_tail())

    def log_tail(self, lines: int = TAIL_LINES) -> str:
        """The last `lines` lines of the child's output."""
        if not self.log.exists():
            return ""
        return "\n".join(self.log.read_text(encoding="utf-8", errors="replace").splitlines()[-lines:])

    def wait(self, *, timeout: float) -> int:
        """The exit status of a child that ends by itself. Raises `DeadlineExceeded`."""
        self._started()
        wait_until(lambda: not self.is_running, what=f"{self.name} to end", timeout=timeout)
        status = self.status
        assert status is not None
        return status

    def send_signal(self, number: signal.Signals) -> None:
        """Send a signal to the child alone, not to its children. Does nothing where the child has ended."""
        if self.is_running:
            os.kill(self.pid, number)

    def kill(self) -> None:
        """End the child and its children at once (SIGKILL), as a crash would."""
        if self._popen is not None and self.is_running:
            self._kill_group()
            self._settle(self._popen.wait())

    def stop(self, *, timeout: float = 10.0, number: signal.Signals = signal.SIGTERM) -> None:
        """Ask the child to end; kill it, and what is left of its group, after `timeout` seconds."""
        if self._popen is not None and self.is_running:
            os.kill(self._popen.pid, number)
            with suppress(subprocess.TimeoutExpired):
                self._settle(self._popen.wait(timeout))
        self.kill()

    def _started(self) -> subprocess.Popen[bytes]:
        if self._popen is None:
            raise RuntimeError(f"{self.name} has not been started")
        return self._popen

    def _settle(self, status: int | None) -> None:
        """Record the exit status and kill what the child left running, before its group id is reused."""
        if status is not None and self._popen is not None:
            self._kill_group()
            self._status = status
            _reaper.forget(self._popen.pid)

    def _kill_group(self) -> None:
        if self._popen is not None:
            with suppress(ProcessLookupError, PermissionError):  # macOS: EPERM for a group of zombies
                os.killpg(self._popen.pid, signal.SIGKILL)

    def _json_lines(self) -> list[dict[str, object]]:
        lines = []
        for line in self.log.read_text(encoding="utf-8", errors="replace").splitlines():
            with suppress(json.JSONDecodeError):
                found = json.loads(line)
                if isinstance(found, dict):
                    lines.append(found)
        return lines

    def _wait(self, condition: Callable[[], T], what: str, timeout: float) -> T:
        try:
            return wait_until(condition, what=what, timeout=timeout)
        except DeadlineExceeded as late:
            raise DeadlineExceeded(f"{what}; the end of its log:\n{self.log_tail()}", timeout) from late


class Processes:
    """A group of children: their logs are in one directory, and they are stopped in reverse order of their start."""

    def __init__(self, log_directory: Path) -> None:
        self.log_directory = log_directory
        self._members: list[ManagedProcess] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def __getitem__(self, name: str) -> ManagedProcess:
        return next(member for member in self._members if member.name == name)

    def start(
        self,
        name: str,
        command: Sequence[str | os.PathLike[str]],
        *,
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
    ) -> ManagedProcess:
        """Start a child that logs to `NAME.log` in the log directory."""
        member = ManagedProcess(name, command, log=self.log_directory / f"{name}.log", env=env, cwd=cwd)
        self._members.append(member.start())
        return member

    def check(self) -> None:
        """Raises `ProcessDied` for the first child that should be running and is not."""
        for member in self._members:
            member.check()

    def stop(self, *, timeout: float = 10.0) -> None:
        """Stop all, the last started first, each given `timeout` seconds."""
        while self._members:
            self._members.pop().stop(timeout=timeout)


class _Reaper:
    """The reaper process of this process: started with the first child, and restarted if it has died."""

    def __init__(self) -> None:
        self._popen: subprocess.Popen[bytes] | None = None
        self._owner = 0
        self._groups: list[int] = []

    def watch(self, group: int) -> None:
        if self._owner != os.getpid():  # the first child, or this is a fork: the groups are the parent's
            self._owner, self._popen, self._groups = os.getpid(), None, []
        self._groups.append(group)
        if self._popen is not None and self._popen.poll() is None:
            self._tell(f"+{group}\n")
        else:
            self._start()

    def forget(self, group: int) -> None:
        if self._owner == os.getpid() and group in self._groups:
            self._groups.remove(group)
            self._tell(f"-{group}\n")

    def _start(self) -> None:
        self._popen = subprocess.Popen(
            [sys.executable, "-I", "-S", reaper.__file__],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        atexit.register(self._dismiss, self._popen, os.getpid())
        self._tell("".join(f"+{group}\n" for group in self._groups))

    def _tell(self, lines: str) -> None:
        assert self._popen is not None
        assert self._popen.stdin is not None
        with suppress(BrokenPipeError):  # the reaper was killed: the children still stop as usual
            self._popen.stdin.write(lines.encode())
            self._popen.stdin.flush()

    @staticmethod
    def _dismiss(popen: subprocess.Popen[bytes], owner: int) -> None:
        """At exit: let the reaper end what is still running, and wait for it."""
        if owner == os.getpid() and popen.stdin is not None:
            with suppress(BrokenPipeError):
                popen.stdin.close()
            with suppress(subprocess.TimeoutExpired):
                popen.wait(reaper.GRACE_SECONDS + 1)


_reaper = _Reaper()
