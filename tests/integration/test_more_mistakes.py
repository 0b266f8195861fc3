"""Mistakes in the arguments and around the process: one line each, no traceback, status 1 or 2."""

import json
import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from config.environment import child_environment
from local.redis import LOOPBACK, free_port
from tests import commands
from tests.unattended import Unattended
from tests.unit.factories import customer_json


@pytest.fixture
def environment(acme: Unattended) -> dict[str, str]:
    settings = acme.app.settings
    return {
        "REDIS_URL": settings.redis_url.get_secret_value(),
        "FORTNOX_API_URL": settings.fortnox_api_url,
        "FORTNOX_AUTH_URL": settings.fortnox_auth_url,
    }


def in_a_shell(line: str, environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """Run a line of bash in which `mf` is the command, in a process of its own."""
    command = shlex.join([sys.executable, "-m", "cli"])
    return subprocess.run(
        ["bash", "-c", line.replace("mf ", f"{command} ")],
        env=child_environment(environment),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize(
    ("command", "said"),
    [
        ("statsu", "Did you mean 'status'?"),
        ("events", "Missing command"),
        ("events list --limit abc", "--limit"),
        ("events list --limit 0", "--limit"),
        ("events list --limit 99999999999999999999999", "--limit"),
        ("events list --lmit 5", "--limit"),
        ("events example", "TYPE"),
        ("health nonsense", "'nonsense' is not one of"),
        ("events export --format xml", "--format"),
        ("audit --limit -1", "--limit"),
        ("wait --timeout -1", "--timeout"),
        ("wait --timeout nan", "--timeout"),
        ("wait --timeout soon", "--timeout"),
        ("expenses import acme --days-back 99999999", "--days-back"),
        ("expenses import acme --days-back 0", "--days-back"),
        ("metrics --port 80000", "--port"),
        ("metrics --port -1", "--port"),
        ("console --port 80000", "--port"),
        ("sandbox --port-fortnox 80000", "--port-fortnox"),
        ("up --port-redis -5", "--port-redis"),
    ],
)
def test_wrong_usage_is_one_line_that_names_what_is_wrong_and_where_the_help_is(command: str, said: str) -> None:
    done = commands.run(*command.split(), environment={})
    if command == "events":  # a group alone shows its commands
        assert (done.returncode, "retry" in done.stdout + done.stderr) == (2, True)
        return
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1), done.stderr
    assert done.stderr.startswith("error: ")
    assert said in done.stderr
    assert done.stderr.endswith("--help)\n")


@pytest.mark.parametrize(
    ("command", "said"),
    [
        (("events", "list", "--key", "acmee/invoice/1001"), "acmee: there is no such company; did you mean acme?"),
        (("events", "export", "--key", "acmee/invoice/1001"), "acmee: there is no such company; did you mean acme?"),
        (("companies", "connect", "a b", "--service-account"), "a b"),
        (
            ("companies", "settings", "acme", "roundingAccount=37"),
            "error: roundingAccount: '37': write it as in 3740\n",
        ),
        (("companies", "settings", "acme", "costAccounts=all"), "write it as in 4000-7999\n"),
        (("events", "list", "--since", "2026-11-30", "--until", "2026-11-01"), "--since 2026-11-30 is after --until"),
        (("publish", ""), "give a file, or - for standard input"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_an_argument_that_cannot_be_right_changes_nothing(
    acme: Unattended, environment: dict[str, str], command: tuple[str, ...], said: str
) -> None:
    done = commands.run(*command, environment=environment)
    assert (done.returncode, done.stdout) == (2, "")
    assert said in done.stderr
    connection = acme.services.stores.connections.find("acme")
    assert connection is not None
    assert connection.state == "connected"


def test_a_key_for_a_company_that_is_not_known_yet_is_made_and_the_likely_slip_told(
    environment: dict[str, str],
) -> None:
    made = commands.run("keys", "producer", "new", "erp", "--company", "acmee", environment=environment)
    assert (made.returncode, made.stdout.startswith("mfk_")) == (0, True)
    assert "did you mean acme?" in made.stderr
    known = commands.run("keys", "producer", "new", "shop", "--company", "acme", environment=environment)
    assert "note" not in known.stderr


@pytest.mark.parametrize(
    "command", ["status", "events list --json", "events export", "events example customer.created"]
)
def test_a_full_disk_is_one_line(environment: dict[str, str], command: str) -> None:
    done = in_a_shell(f"mf {command} > /dev/full", environment)
    assert (done.returncode, done.stderr) == (1, "error: the output cannot be written: No space left on device\n")


@pytest.mark.parametrize("command", ["events list", "events export", "--help"])
def test_a_reader_that_has_seen_enough_ends_the_command_without_a_word(
    environment: dict[str, str], command: str
) -> None:
    done = in_a_shell(f"mf {command} | true; exit ${{PIPESTATUS[0]}}", environment)
    assert (done.returncode in (0, 1), done.stderr) == (True, "")


@pytest.mark.parametrize(
    ("line", "status", "said"),
    [
        ("mf publish - <&-", 2, "error: -: no events in it\n"),
        ("mf events retry --all-failed <&-", 1, "error: no such failed events\n"),
        ("mf companies forget acme <&-", 1, "acme is connected: disconnect it first"),
        ("mf status >&- 2>&-", 0, ""),
        (r"mf events show $'a\xffb'", 2, "error: an argument is not UTF-8\n"),
        (r"mf publish $'a\xffb'", 2, "No such file or directory"),
        ("TMPDIR=/nonexistent mf wait", 0, ""),
    ],
)
def test_closed_streams_and_bytes_that_are_no_text(
    environment: dict[str, str], line: str, status: int, said: str
) -> None:
    done = in_a_shell(line, environment)
    assert done.returncode == status, done.stderr
    assert said in done.stderr
    assert done.stderr.count("\n") <= 1


@pytest.mark.parametrize("command", ["wait", "expenses import acme --days-back 1 --timeout 0", "events export"])
def test_a_bar_is_for_terminals_and_leaves_nothing_in_a_pipe(environment: dict[str, str], command: str) -> None:
    done = commands.run(*command.split(), environment=environment)
    assert not done.stderr.startswith("\n")


def test_output_that_is_not_utf_8_has_what_it_cannot_show_escaped(environment: dict[str, str]) -> None:
    done = in_a_shell("PYTHONIOENCODING=ascii mf events show e1", environment)
    assert (done.returncode, done.stderr) == (0, "")
    assert "POST /3/customers \\u2192 201" in done.stdout


def test_one_port_given_twice_is_one_line(tmp_path: Path) -> None:
    port = str(free_port())
    done = commands.run(
        *("up", "--directory", str(tmp_path / "up"), "--port-fortnox", port, "--port-moment", port), environment={}
    )
    assert (done.returncode, done.stderr) == (
        1,
        f"error: port {port} is in use; choose another one with --port-moment\n",
    )


def test_what_a_part_of_the_system_dies_of_is_told_without_its_traceback(tmp_path: Path) -> None:
    from cli.local import _in_a_line
    from local import ManagedProcess, ProcessDied

    program = "raise OSError('the disk is gone')"
    part = ManagedProcess("part", [sys.executable, "-c", program], log=tmp_path / "part.log")
    with part, pytest.raises(ProcessDied) as died:
        part.wait_ready(lambda: False)
    assert "Traceback" in str(died.value)
    told = _in_a_line(died.value)
    assert told == "part ended with status 1; the end of its log: OSError: the disk is gone"


def test_the_lines_to_copy_that_up_prints_hold_in_a_directory_with_spaces(tmp_path: Path) -> None:
    from cli.local import write_environment

    directory = tmp_path / 'a b "å" $HOME'
    directory.mkdir()
    file = write_environment(directory, {"REDIS_URL": f"redis://{LOOPBACK}/0", "ODD": """it's "$HOME" `x`"""})
    assert os.stat(file).st_mode & 0o077 == 0
    done = subprocess.run(
        ["bash", "-c", f'. {shlex.quote(str(file))}; printf "%s\\n" "$ODD"; command -v moment-fortnox'],
        capture_output=True,
        text=True,
        check=True,
    )
    odd, command = done.stdout.splitlines()
    assert odd == """it's "$HOME" `x`"""
    assert Path(command).parent == Path(sys.executable).parent


def test_what_is_logged_on_the_way_is_not_among_a_commands_output(environment: dict[str, str], tmp_path: Path) -> None:
    event = customer_json(event_id="misspelt")
    event["customer"]["emial"] = "a@b.example"
    (tmp_path / "event.json").write_text(json.dumps(event), encoding="utf-8")
    done = in_a_shell(f"mf publish --json {shlex.quote(str(tmp_path / 'event.json'))}", environment)
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout) == {"accepted": 1, "known": 0, "unknownFields": {"customer.emial": 1}}
    program = (
        "import sys, operations.status, structlog, logging\n"
        "from operations.status import overview\n"
        "def logs(*given):\n"
        "    structlog.get_logger('x').info('token.refreshed', company='acme')\n"
        "    logging.getLogger('y').error('mail.damaged')\n"
        "    return overview(*given)\n"
        "operations.status.overview = logs\n"
        "from cli import main\n"
        "main()"
    )
    status = subprocess.run(
        [sys.executable, "-c", program, "status", "--json"],
        env=child_environment(environment | {"PYTHONPATH": str(Path.cwd())}),
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert status.stderr == ""
    assert json.loads(status.stdout)["companies"]["acme"]["connection"] == "connected"
