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


@pytest.mark.parametrize(("name", "command"), LISTED.items(), ids=LISTED)
def test_the_lines_of_a_help_end_where_the_terminal_does(name: str, command: Command) -> None:
    loaded = command.load(name.split()[-1])
    for one in (loaded, *(getattr(loaded, "commands", {}).values())):
        assert all("\n" not in part for part in (one.help or "").split("\n\n"))
        assert not any(
            "[[" in piece for piece in one.collect_usage_pieces(one.make_context(name, [], resilient_parsing=True))
        )
