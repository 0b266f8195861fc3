"""The worker: the Celery app, the ordering engine, the stores, the doors and the command line.

`from worker import publish` is the door for producers in Python.
"""

from typing import Any


def __getattr__(name: str) -> Any:
    """`publish`, loaded when it is first asked for: most importers of `worker.*` are no producers."""
    if name == "publish":
        from worker.publish import publish

        return publish
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
