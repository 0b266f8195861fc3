"""The real services that tests run against: a Redis server and the stand-ins for Fortnox, Moment and SMTP.

Each is a process of its own on a free port; leaving the context stops exactly that process.

    with running_redis(tmp_path) as url, running_sandbox(tmp_path) as sandbox: …
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from local import EmbeddedRedis, Processes
from local.sandbox import CLIENT_ID, CLIENT_SECRET, Sandbox
from local.stack import start_sandbox

__all__ = ["CLIENT_ID", "CLIENT_SECRET", "Sandbox", "running_redis", "running_sandbox"]


@contextmanager
def running_redis(directory: Path, **options: Any) -> Iterator[str]:
    """A Redis server's address. `options` are `EmbeddedRedis`'s."""
    directory.mkdir(parents=True, exist_ok=True)
    with EmbeddedRedis(directory, **options) as server:
        yield server.url


@contextmanager
def running_sandbox(directory: Path) -> Iterator[Sandbox]:
    """The stand-ins, empty."""
    directory.mkdir(parents=True, exist_ok=True)
    with Processes(directory) as processes, Sandbox(start_sandbox(processes)) as sandbox:
        yield sandbox
