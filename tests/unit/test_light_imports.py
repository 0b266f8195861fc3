"""What starts without Celery and the other slow libraries: a producer's import, and every command for people."""

import subprocess
import sys

import pytest

SLOW = ("billiard", "celery", "flower", "kombu", "redbeat", "sentry_sdk")


def loaded_by(statement: str) -> list[str]:
    code = f"import sys\n{statement}\nprint(*(name for name in {SLOW!r} if name in sys.modules))"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    return run.stdout.split()


@pytest.mark.parametrize(
    "statement",
    [
        "import delivery.services, delivery.runner, delivery.polling, delivery.admission, delivery.bugs",
        "import tasks.flows, config.queues, config.logging",
        "from worker import publish",
        "import cli.main, cli.publish, cli.status, cli.events, cli.lists, cli.health, cli.producers",
    ],
)
def test_it_loads_none_of_the_slow_libraries(statement: str) -> None:
    assert loaded_by(statement) == []


def test_what_loads_celery_is_seen() -> None:
    assert "celery" in loaded_by("import worker.bootstrap")
