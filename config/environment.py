"""The environment for child processes. Only this module and `settings` read `os.environ`."""

import os
from collections.abc import Mapping


def child_environment(overrides: Mapping[str, str] | None = None) -> dict[str, str]:
    """This process's environment with `overrides` on top, for `subprocess.Popen(env=…)`."""
    return {**os.environ, **(overrides or {})}
