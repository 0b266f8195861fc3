"""docker-compose.yml as tests see it: each service's exact command and environment, so that it can be run as a process.

service = services()["worker"]
processes.start("worker", service.local_command(), env=service.environment({"FLOWER_BASIC_AUTH": "a:b"}) | ours)
"""

import re
import signal
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

COMPOSE_FILE = Path(__file__).parents[1] / "docker-compose.yml"
HA_FILE = COMPOSE_FILE.with_name("docker-compose.ha.yml")  # on top of the other
APPLICATION = ("worker", "background", "beat", "flower", "console", "metrics")  # the services of our own image

_VARIABLE = re.compile(r"\$\{(?P<name>\w+)(?::\?(?P<complaint>[^}]*))?\}")


class NotSet(Exception):
    """Compose refuses to start: a variable marked with `:?` is missing or empty."""


@dataclass(frozen=True)
class Service:
    """One service, after YAML's merges."""

    name: str
    definition: Mapping[str, Any]

    @property
    def command(self) -> list[str]:
        """What runs in the container, word by word."""
        return [str(word) for word in self.definition["command"]]

    def local_command(self) -> list[str]:
        """The same, with the programs of this test's environment in place of the image's."""
        program, *arguments = self.command
        programs = {
            "celery": [sys.executable, "-m", "celery"],
            "python": [sys.executable],
            "moment-fortnox": [sys.executable, "-m", "cli"],
        }
        return [*programs.get(program, [program]), *arguments]

    def environment(self, variables: Mapping[str, str]) -> dict[str, str]:
        """The service's own environment with `${…}` filled in. Raises `NotSet`."""
        return {
            name: _interpolated(str(value), variables) for name, value in self.definition.get("environment", {}).items()
        }

    @property
    def stop_signal(self) -> signal.Signals:
        return signal.Signals[self.definition.get("stop_signal", "SIGTERM")]


def compose_file(path: Path = COMPOSE_FILE) -> dict[str, Any]:
    loaded: dict[str, Any] = YAML(typ="safe", pure=True).load(path)
    return loaded


def services(path: Path = COMPOSE_FILE) -> dict[str, Service]:
    return {name: Service(name, definition) for name, definition in compose_file(path)["services"].items()}


def _interpolated(value: str, variables: Mapping[str, str]) -> str:
    def fill(match: re.Match[str]) -> str:
        found = variables.get(match["name"], "")
        if not found and match["complaint"] is not None:
            raise NotSet(f"{match['name']}: {match['complaint']}")
        return found

    return _VARIABLE.sub(fill, value)
