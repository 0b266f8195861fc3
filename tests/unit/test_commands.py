"""The groups that load a command when it runs show in their lists what the command itself says."""

import pytest

from cli.events import COMMANDS as EVENTS
from cli.lazy import Command
from cli.main import COMMANDS

LISTED = COMMANDS | {f"events {name}": command for name, command in EVENTS.items()}


@pytest.mark.parametrize(("name", "command"), LISTED.items(), ids=LISTED)
def test_a_list_of_commands_has_the_first_paragraph_of_each_commands_help(name: str, command: Command) -> None:
    help_ = command.load(name.split()[-1]).help
    assert " ".join(help_.split("\n\n")[0].split()) == command.help
