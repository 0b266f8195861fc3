"""Writes `cli/completion_words.json`, from which a shell completes: `python -m cli.completion_table`."""

import json
from pathlib import Path
from typing import Any

import typer

from cli.main import cli
from fortnox.situations import SITUATIONS
from ordering.queries import COMPANIES, PREFIX
from ordering.records import STATUSES

VALUES = {"status": list(STATUSES), "code": sorted(SITUATIONS)}
KINDS = ("company", *VALUES)  # an option or an argument of this name takes such values
TARGET = Path(__file__).parent / "completion_words.json"


def table() -> dict[str, Any]:
    """All commands, their options with the kind of value each takes, and their arguments' kinds."""
    commands: dict[str, Any] = {}
    _add(commands, "", typer.main.get_command(cli))
    return {"commands": commands, "values": VALUES, "companies": f"{PREFIX}{COMPANIES}"}


def written() -> str:
    """The file's text."""
    return json.dumps(table(), indent=1, sort_keys=True) + "\n"


def _add(commands: dict[str, Any], name: str, command: Any) -> None:
    options, arguments = {"--help": ""}, []
    for parameter in command.params:
        known = parameter.name in KINDS and (name, parameter.name) != ("companies connect", "code")  # Fortnox's code
        kind = parameter.name if known else "text"
        if parameter.param_type_name == "argument":
            arguments.append(kind)
        else:
            value = "" if parameter.is_flag else kind
            options |= {one: value for one in (*parameter.opts, *parameter.secondary_opts) if one.startswith("--")}
    below = command.commands if hasattr(command, "commands") else {}
    commands[name] = {"options": options, "arguments": arguments, "groups": list(below)}
    for one in below:
        _add(commands, f"{name} {one}".strip(), below[one])


if __name__ == "__main__":
    TARGET.write_text(written(), encoding="utf-8")
