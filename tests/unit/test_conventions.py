"""The project's rules, kept by tests: settings and their example, what is in git, in the wheel and
in the documentation.
"""

import re
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
import typer
from pydantic_settings import BaseSettings

from config import load_settings
from config.settings import Settings
from tasks.flows import SCOPES

ROOT = Path(__file__).parents[2]
PACKAGES = (
    "cli",
    "config",
    "console",
    "delivery",
    "fortnox",
    "local",
    "mails",
    "mappers",
    "messages",
    "moment",
    "operations",
    "ordering",
    "sandbox",
    "stores",
    "tasks",
    "worker",
)
MODULES = {path.relative_to(ROOT) for package in PACKAGES for path in (ROOT / package).rglob("*.py")}


# --- Settings ---


def example() -> dict[str, str]:
    """The settings in .env.example."""
    lines = (ROOT / ".env.example").read_text(encoding="utf-8").splitlines()
    return dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))


def test_the_env_example_lists_exactly_the_settings_in_their_order() -> None:
    assert list(example()) == [name.upper() for name in Settings.model_fields]


def test_every_setting_in_the_env_example_is_explained() -> None:
    blocks = re.split(r"\n\s*\n", (ROOT / ".env.example").read_text(encoding="utf-8"))
    settings = [block for block in blocks if re.search(r"^[A-Z_]+=", block, flags=re.MULTILINE)]

    assert settings
    assert [block for block in settings if not block.startswith("#")] == []


def test_the_env_example_works_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in Settings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)

    assert load_settings(ROOT / ".env.example").is_sandbox


# --- The environment ---


def test_only_config_reads_the_environment() -> None:
    asked_by_bash = "cli/completion.py"  # which has no time to load the settings
    wrong = [
        str(module)
        for module in sorted(MODULES)
        if module.parts[0] != "config"
        and str(module) != asked_by_bash
        and re.search(r"\bos\.environ\b|\bgetenv\b|\benvironb\b", (ROOT / module).read_text(encoding="utf-8"))
    ]

    assert wrong == []


def test_settings_are_only_defined_in_config() -> None:
    name = BaseSettings.__name__

    assert [str(m) for m in MODULES if name in (ROOT / m).read_text(encoding="utf-8")] == ["config/settings.py"]


# --- What is in git ---


@cache
def files_in_git() -> tuple[Path, ...]:
    """Tracked files, and those that would be if added now. Skips where there is no git."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    if listed.returncode != 0:
        pytest.skip("not a git checkout")
    return tuple(path for name in listed.stdout.split("\0") if name and (path := ROOT / name).is_file())


# Put together from parts, so that this file does not hold what it looks for.
MACHINE_PATHS = "|".join(("/" + "work/", "/tmp/" + "bash_jobs", "/opt/" + "pypi", "/opt/" + "wheels", "/root/" + r"\."))
REGISTRY_HOSTS = "|".join(
    re.escape(".".join(parts))
    for parts in (
        ("pypi", "org"),
        ("files", "pythonhosted", "org"),
        ("registry", "npmjs", "org"),
        ("deb", "debian", "org"),
        ("proxy", "golang", "org"),
    )
)


@pytest.mark.parametrize(
    "pattern", [pytest.param(MACHINE_PATHS, id="a developer's machine"), pytest.param(REGISTRY_HOSTS, id="a registry")]
)
def test_no_file_in_git_names(pattern: str) -> None:
    found = [
        f"{path.relative_to(ROOT)}:{number}"
        for path in files_in_git()
        for number, line in enumerate(path.read_bytes().decode(errors="replace").splitlines(), start=1)
        if re.search(pattern, line)
    ]

    assert found == []


def test_every_locked_dependency_has_a_hash_and_no_address() -> None:
    for lock in ROOT.glob("requirements*.lock"):
        text = lock.read_text(encoding="utf-8")
        pins = re.findall(r"^[\w.-]+==[^\s]+.*\\\n\s+--hash=sha256:", text, flags=re.MULTILINE)

        assert pins
        assert len(pins) == len(re.findall(r"^[\w.-]+\s*==", text, flags=re.MULTILINE)), lock.name
        assert "://" not in text, lock.name


def test_the_runtime_lock_is_part_of_the_development_lock() -> None:
    runtime, dev = (
        set(re.findall(r"^([\w.-]+==[^\s]+)", (ROOT / name).read_text(), flags=re.MULTILINE))
        for name in ("requirements.lock", "requirements-dev.lock")
    )

    assert runtime < dev


# --- The wheel ---


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel as the image gets it, built by the locked setuptools from a copy of the tree."""
    tree = tmp_path_factory.mktemp("tree")
    for path in files_in_git():
        copy = tree / path.relative_to(ROOT)
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_bytes(path.read_bytes())
    built = tmp_path_factory.mktemp("wheel")
    code = f"import setuptools.build_meta as backend; print(backend.build_wheel({str(built)!r}))"
    subprocess.run([sys.executable, "-c", code], cwd=tree, check=True, capture_output=True)
    (found,) = built.glob("*.whl")
    return found


def test_the_wheel_holds_every_module_and_data_file(wheel: Path) -> None:
    wanted = {
        str(path.relative_to(ROOT))
        for path in files_in_git()
        if path.relative_to(ROOT).parts[0] in PACKAGES and path.suffix != ".md"
    }
    held = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}

    assert any(name.endswith(".lua") for name in held)
    assert held == wanted


def test_every_module_of_an_installed_wheel_can_be_imported(wheel: Path, tmp_path: Path) -> None:
    zipfile.ZipFile(wheel).extractall(tmp_path)
    modules = [
        ".".join(module.with_suffix("").parts).removesuffix(".__init__")
        for module in sorted(MODULES)
        if module.name != "__main__.py" and str(module) != "worker/app.py"  # those two start something
    ]
    code = "import importlib, sys\nfor name in sys.argv[1:]: print(importlib.import_module(name).__file__)"
    run = subprocess.run(
        [sys.executable, "-c", code, *modules], cwd=tmp_path, capture_output=True, text=True, check=False, timeout=60
    )

    assert run.returncode == 0, run.stderr
    assert [line for line in run.stdout.splitlines() if not line.startswith(f"{tmp_path}/")] == []


# --- The documentation ---


def commands_of(app: typer.Typer) -> list[str]:
    """`publish`, `events list` …: every command that a person can type after `moment-fortnox`."""

    def names(command: object, before: tuple[str, ...]) -> Iterator[str]:
        inner = getattr(command, "commands", None)
        if inner is None:
            yield " ".join(before)
        else:
            for name, one in inner.items():
                yield from names(one, (*before, name))

    return list(names(typer.main.get_command(app), ()))


def test_the_documentation_names_every_command() -> None:
    cli = pytest.importorskip("cli.main", reason="there is no command line yet").cli
    text = "\n".join(path.read_text(encoding="utf-8") for path in [ROOT / "README.md", *ROOT.glob("docs/**/*.md")])

    commands = commands_of(cli)

    assert "publish" in commands
    assert [command for command in commands if f"moment-fortnox {command}" not in text] == []


def test_make_help_lists_every_target() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    phony = re.findall(r"^\.PHONY:(.*)$", makefile, flags=re.MULTILINE)[0].split()

    listed = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True, check=True).stdout

    assert [target for target in phony if not re.search(rf"^\s+make {target}\s+\S", listed, flags=re.MULTILINE)] == []


def test_the_documentation_has_each_scope_that_is_asked_for_and_no_other() -> None:
    listed = re.findall(
        r"^\| `([a-z]+)` \| ", (ROOT / "docs/connections.md").read_text(encoding="utf-8"), flags=re.MULTILINE
    )

    assert listed == list(SCOPES)


def test_every_file_that_the_architecture_names_exists() -> None:
    """But those of the example of a new flow."""
    text = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8")
    before, _, example = text.partition("| Add | for |")
    named = re.findall(r"`([\w./-]+/(?:[\w.-]+\.(?:py|lua))?)`", before + example.partition("| Change | what |")[2])

    assert len(named) > 30
    assert [name for name in named if not (ROOT / name).exists()] == []
