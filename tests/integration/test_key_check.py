"""A worker with other keys than those that sealed what is in Redis does not start, and health says so."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography.fernet import Fernet

from local.stack import Stack
from tests import commands

FIRST, SECOND, LOST = (Fernet.generate_key().decode() for _ in range(3))


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with Stack(Path(tmp_path_factory.mktemp("keys")), appendfsync="no") as stack:
        stack.start_services()
        yield stack


def starts(stack: Stack, keys: str) -> str:
    """What a worker with these keys says before it ends; "" where it starts."""
    environment = stack.environment
    stack.environment = environment | {"ENCRYPTION_KEYS": keys}
    try:
        worker = [sys.executable, "-m", "celery", "-A", "worker.app", "worker", "--pool=solo", "--queues=none"]
        if healthy(stack):
            stack.start_worker(concurrency=1).stop()
            return ""
        ended = subprocess.run(worker, env=stack.environment, capture_output=True, text=True, timeout=120)
        assert ended.returncode == 1
        return ended.stderr
    finally:
        stack.environment = environment


def healthy(stack: Stack) -> bool:
    return "ENCRYPTION_KEYS" not in commands.run("health", "delivery", environment=stack.environment).stderr


def rotate(stack: Stack, keys: str) -> None:
    ran = commands.run("keys", "rotate", environment=stack.environment | {"ENCRYPTION_KEYS": keys})
    assert ran.returncode == 0, ran.stderr


def test_a_worker_starts_with_the_keys_of_its_installation_alone(stack: Stack) -> None:
    assert starts(stack, FIRST) == ""  # the first to start decides
    told = starts(stack, LOST)
    assert told.strip().splitlines()[-1].startswith("error: ENCRYPTION_KEYS: none of them is the key")
    assert LOST not in told
    assert starts(stack, f"{SECOND},{FIRST}") == ""
    assert starts(stack, SECOND) != ""  # dropped before anything was sealed anew
    rotate(stack, f"{SECOND},{FIRST}")
    assert starts(stack, SECOND) == ""
    assert starts(stack, FIRST) != ""
    rotate(stack, LOST)  # the operator has lost the others
    assert starts(stack, LOST) == ""
