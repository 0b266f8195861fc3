"""Completion in the shells: what is offered, and that nothing slow is imported for it."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from redis import Redis

from cli.completion import answer, complete, wanted
from cli.completion_table import TARGET, written
from config.environment import child_environment
from ordering.records import STATUSES
from tests.services import running_redis
from tests.unattended import Unattended
from tests.unit.factories import customer_json


def offered(line: str, **environment: str) -> list[str]:
    """What is offered at the end of the line, as bash asks."""
    words = line.split(" ")
    return complete({"COMP_WORDS": line, "COMP_CWORD": str(len(words) - 1), **environment})


def test_the_table_is_that_of_the_commands() -> None:
    assert TARGET.read_text(encoding="utf-8") == written(), "run python -m cli.completion_table"


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("moment-fortnox fai", ["failures"]),
        ("moment-fortnox events sk", ["skip"]),
        ("moment-fortnox events list --st", ["--status"]),
        ("moment-fortnox events list --status ", list(STATUSES)),
        ("moment-fortnox events retry --all-failed --code period", ["period-locked"]),
        ("moment-fortnox companies connect acme --code ", []),
        ("moment-fortnox events list --key ", []),
        ("moment-fortnox nonsense ", ["demo"]),
        ("moment-fortnox events 'open", []),
    ],
)
def test_commands_options_statuses_and_codes_are_offered(line: str, words: list[str]) -> None:
    assert offered(line, REDIS_URL="redis://127.0.0.1:1/0")[: len(words) or 1] == words


def test_companies_are_offered(unattended: Unattended, redis_url: str) -> None:
    for company in ("acme", "acorn", "brother"):
        unattended.publish(customer_json(company=company))
    unattended.services.redis.sadd("mf:companies", "_unknown")
    for line in (
        "moment-fortnox companies show ac",
        "moment-fortnox events list --company ac",
        "moment-fortnox events show --json ac",
        "moment-fortnox events retry --all-failed ac",
        "moment-fortnox expenses import ac",
    ):
        assert offered(line, REDIS_URL=redis_url) == ["acme", "acorn"], line
    assert offered("moment-fortnox status --company ", REDIS_URL=redis_url) == ["acme", "acorn", "brother"]


def test_a_redis_with_a_password_is_asked_too(tmp_path: Path) -> None:
    with running_redis(tmp_path) as url, Redis.from_url(url) as redis:
        redis.sadd("mf:companies", "acme")
        redis.config_set("requirepass", "p@ss word")
        with_password = url.replace("redis://", "redis://:p%40ss%20word@")
        assert offered("moment-fortnox companies show ", REDIS_URL=with_password) == ["acme"]
        assert offered("moment-fortnox companies show ", REDIS_URL=url) == []


def test_the_command_answers_bash_and_imports_no_library_for_it(unattended: Unattended, redis_url: str) -> None:
    unattended.publish(customer_json())
    code = (
        "import atexit, sys, cli; atexit.register(lambda: "
        "print(*({'typer', 'redis', 'pydantic', 'rich', 'celery'} & set(sys.modules)), file=sys.stderr)); cli.main()"
    )
    asked = {
        "_MOMENT_FORTNOX_COMPLETE": "complete_bash",
        "COMP_WORDS": "moment-fortnox companies show a",
        "COMP_CWORD": "3",
        "REDIS_URL": redis_url,
    }
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=child_environment(asked),
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert (done.stdout, done.stderr) == ("acme\n", "\n")


@pytest.mark.parametrize(
    ("shell", "line", "more", "answered"),
    [
        ("zsh", "moment-fortnox events sk", {}, ("_arguments '*: :((\"skip\"))'", 0)),
        ("zsh", "moment-fortnox events list --key ", {}, ("_files", 0)),
        ("fish", "moment-fortnox events sk", {"_TYPER_COMPLETE_FISH_ACTION": "get-args"}, ("skip", 0)),
        ("fish", "moment-fortnox events sk", {"_TYPER_COMPLETE_FISH_ACTION": "is-args"}, ("", 0)),
        ("fish", "moment-fortnox events list --key ", {"_TYPER_COMPLETE_FISH_ACTION": "is-args"}, ("", 1)),
    ],
)
def test_zsh_and_fish_are_answered_in_their_own_way(
    shell: str, line: str, more: dict[str, str], answered: tuple[str, int]
) -> None:
    asked = {"_MOMENT_FORTNOX_COMPLETE": f"complete_{shell}", "_TYPER_COMPLETE_ARGS": line, **more}
    assert answer(asked) == answered


@pytest.mark.parametrize(
    ("line", "typed", "words"),
    [
        ("moment-fortnox events sk", "sk", ["skip::: "]),
        ("moment-fortnox events list --status", "", [f"{status}::: " for status in STATUSES]),
        ("moment-fortnox events list --status fai", "fai", ["failed::: "]),
    ],
)
def test_powershell_is_answered_with_words_and_descriptions(line: str, typed: str, words: list[str]) -> None:
    asked = {
        "_MOMENT_FORTNOX_COMPLETE": "complete_powershell",
        "_TYPER_COMPLETE_ARGS": line,
        "_TYPER_COMPLETE_WORD_TO_COMPLETE": typed,
    }
    assert wanted(asked)
    assert answer(asked) == ("\n".join(words), 0)


def test_a_name_in_redis_is_no_code_for_zsh(unattended: Unattended, redis_url: str) -> None:
    unattended.services.redis.sadd("mf:companies", "x))'; touch owned; '", "fine")
    asked = {
        "_MOMENT_FORTNOX_COMPLETE": "complete_zsh",
        "_TYPER_COMPLETE_ARGS": "moment-fortnox companies show ",
        "REDIS_URL": redis_url,
    }
    assert answer(asked) == ("_arguments '*: :((\"fine\"))'", 0)


@pytest.mark.skipif(shutil.which("fish") is None, reason="needs fish; on Debian: apt-get install fish")
def test_fish_offers_what_the_command_answers(tmp_path: Path) -> None:
    bin_ = Path(sys.executable).parent
    environment = {"PATH": f"{bin_}:{os.environ['PATH']}", "HOME": str(tmp_path)}
    named = environment | {"_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION": "1"}
    script = subprocess.run(
        ["moment-fortnox", "--show-completion", "fish"], env=named, capture_output=True, text=True, check=False
    ).stdout
    asked = f"{script}\ncomplete --do-complete 'moment-fortnox events sk'"
    done = subprocess.run(["fish", "-c", asked], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["skip"]
