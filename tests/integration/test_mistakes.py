"""One clear line for each mistake: what is wrong and what to do, with the right exit status and no traceback."""

import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread

import pytest

from config.environment import child_environment
from local.redis import LOOPBACK, free_port
from tests import commands

SANDBOX = {"FORTNOX_API_URL": "http://127.0.0.1:1"}


class Quiet(BaseHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def http_server() -> Iterator[int]:
    with HTTPServer((LOOPBACK, 0), Quiet) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        yield server.server_port
        server.shutdown()
        thread.join()


@pytest.fixture
def mute_server() -> Iterator[int]:
    """Accepts connections and says nothing, as an HTTP server that waits for the rest of a request."""
    with socket.socket() as listener:
        listener.bind((LOOPBACK, 0))
        listener.listen()
        yield listener.getsockname()[1]


def one_line(environment: dict[str, str], *command: str) -> tuple[int, str]:
    done = commands.run(*command, environment=environment)
    assert done.stdout == ""
    assert done.stderr.count("\n") == 1, done.stderr
    assert "Traceback" not in done.stderr
    return done.returncode, done.stderr


@pytest.mark.parametrize(
    "url",
    [
        "redis//127.0.0.1",
        "http://127.0.0.1:8080/",
        "redis://",
        "redis://127.0.0.1:port/0",
        "127.0.0.1:6379",
        "redis://h/x",
    ],
)
@pytest.mark.parametrize("command", ["status", "health", "events list"])
def test_an_address_that_is_none_of_redis_is_wrong_usage(url: str, command: str) -> None:
    status, line = one_line(SANDBOX | {"REDIS_URL": url}, *command.split())
    assert status == 2
    assert line.startswith("error: REDIS_URL: give redis://")


def test_a_wrong_address_does_not_show_its_password() -> None:
    status, line = one_line(SANDBOX | {"REDIS_URL": "redis://app:s3cr/et@127.0.0.1:6379/0"}, "status")
    assert status == 2
    assert "s3cr" not in line
    assert "et@" not in line


@pytest.mark.parametrize("command", ["status", "health", "publish -"])
def test_an_http_server_behind_the_address_is_named_at_once(http_server: int, command: str) -> None:
    event = '{"id":"e"}'
    environment = SANDBOX | {"REDIS_URL": f"redis://{LOOPBACK}:{http_server}/0"}
    if command == "publish -":  # nothing is valid, so Redis is not even asked
        assert commands.run(*command.split(), stdin=event, environment=environment).returncode == 1
        return
    status, line = one_line(environment, *command.split())
    assert status == 1
    assert f"What answers at {LOOPBACK}:{http_server}/0 is not Redis" in line


def test_a_server_that_says_nothing_is_given_five_seconds(mute_server: int) -> None:
    status, line = one_line(SANDBOX | {"REDIS_URL": f"redis://{LOOPBACK}:{mute_server}/0"}, "status")
    assert (status, "does not answer" in line) == (1, True)


def test_no_server_at_the_address(tmp_path: Path) -> None:
    status, line = one_line(SANDBOX | {"REDIS_URL": f"redis://{LOOPBACK}:{free_port()}/0"}, "events", "list")
    assert (status, "Start it, or set REDIS_URL" in line) == (1, True)


def test_without_an_env_file_it_says_what_is_missing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    status, line = one_line({}, "status")
    assert status == 2
    assert "FORTNOX_CLIENT_ID" in line
    assert "in the environment or .env" in line


def test_an_error_that_nobody_expected_is_one_line_and_a_file(redis_url: str, tmp_path: Path) -> None:
    program = (
        "import sys, operations.status\n"
        "def broken(*_): raise KeyError('10001 Skånska Bygg AB')\n"
        "operations.status.overview = broken\n"
        "from cli import main\n"
        "main()"
    )
    environment = SANDBOX | {"REDIS_URL": redis_url, "TMPDIR": str(tmp_path), "PYTHONPATH": str(Path.cwd())}
    done = subprocess.run(
        [sys.executable, "-c", program, "status"],
        env=child_environment(environment),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stdout) == (1, "")
    told = re.fullmatch(r"error: unexpected KeyError\. The traceback is in (\S+)\n", done.stderr)
    assert told is not None, done.stderr
    log = Path(told[1])
    assert log.stat().st_mode & 0o077 == 0
    assert "Skånska" in log.read_text(encoding="utf-8")


def test_the_version_is_printed() -> None:
    done = commands.run("--version", environment={})
    assert (done.returncode, bool(re.fullmatch(r"\d+\.\d+\.\d+\n", done.stdout))) == (0, True)
