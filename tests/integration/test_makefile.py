"""The Makefile sets up the environment, and notices when it is of no use any more."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
USED = ("requirements-build.lock", "requirements-dev.lock", "pyproject.toml")


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A checkout as `make` leaves it: the environment is there and newer than what it was made from."""
    if shutil.which("make") is None:
        pytest.skip("make is not on this machine")
    directory = tmp_path / "a b å"
    (directory / ".venv").mkdir(parents=True)
    for name in ("Makefile", *USED):
        shutil.copy2(ROOT / name, directory)
    made = f"home = /usr/bin\ncommand = /usr/bin/python3 -m venv --clear {directory}/.venv\n"
    (directory / ".venv" / "pyvenv.cfg").write_text(made, encoding="utf-8")
    (directory / ".venv" / ".ready").touch()
    return directory


def steps(directory: Path) -> str:
    """What make would do for `make demo`."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
    command = ["make", "--no-print-directory", "--dry-run", "demo"]
    return subprocess.run(command, cwd=directory, env=environment, capture_output=True, text=True, check=True).stdout


def test_an_environment_that_is_ready_is_left_as_it_is(checkout: Path) -> None:
    assert steps(checkout).splitlines() == [".venv/bin/moment-fortnox demo"]


def test_a_checkout_that_was_moved_gets_a_new_environment(checkout: Path) -> None:
    moved = checkout.rename(checkout.with_name("elsewhere å"))
    assert "-m venv --clear" in steps(moved)
    copied = shutil.copytree(moved, moved / "below")
    assert "-m venv --clear" in steps(Path(copied))


def test_an_environment_that_was_made_by_another_tool_is_used(checkout: Path) -> None:
    (checkout / ".venv" / "pyvenv.cfg").write_text("home = /usr/bin\nuv = 0.9\n", encoding="utf-8")
    assert steps(checkout).splitlines() == [".venv/bin/moment-fortnox demo"]
