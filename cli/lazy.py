"""Groups of commands that import a command's module only when that command runs."""

from collections.abc import Iterator, Mapping
from importlib import import_module
from typing import Any, NamedTuple

import typer
from typer.core import TyperCommand, TyperGroup


class Command(NamedTuple):
    """Where a command is, `module:name`, a function or a `typer.Typer`; and the first line of its help."""

    where: str
    help: str

    def load(self, name: str) -> Any:
        """Import the command."""
        module, _, attribute = self.where.partition(":")
        found = getattr(import_module(module), attribute)
        if isinstance(found, typer.Typer):
            command: Any = typer.main.get_group(found)
        else:
            app = typer.Typer(add_completion=False)
            app.command()(found)
            command = typer.main.get_command(app)
        command.name = name
        _unwrap(command)
        return command


def _unwrap(command: Any) -> None:
    """Let the terminal's width, and not the source's, say where the lines of the help end."""
    if command.help:
        command.help = "\n\n".join(" ".join(part.split()) for part in command.help.split("\n\n"))
    below = getattr(command, "commands", None)
    for one in below.values() if isinstance(below, dict) else ():  # those of a lazy group when they are loaded
        _unwrap(one)


class Commands(Mapping[str, Any]):
    """The commands by name; looking one up imports it."""

    def __init__(self, commands: Mapping[str, Command]) -> None:
        self._commands = commands

    def __getitem__(self, name: str) -> Any:
        return self._commands[name].load(name)

    def __iter__(self) -> Iterator[str]:
        return iter(self._commands)

    def __len__(self) -> int:
        return len(self._commands)


def group(commands: Mapping[str, Command], base: type[TyperGroup] = TyperGroup) -> type[TyperGroup]:
    """The class of a group with these commands, for `typer.Typer(cls=…)`."""

    class LazyGroup(base):  # type: ignore[valid-type,misc]  # mypy takes no variable as a base
        def __init__(self, **attributes: Any) -> None:
            super().__init__(**attributes)
            self.commands = Commands(commands)  # nothing is added to it

        def list_commands(self, ctx: typer.Context) -> list[str]:
            return list(commands)

        def get_command(self, ctx: Any, name: str) -> Any:
            """For lists of commands: the command's name and help alone."""
            return TyperCommand(name=name, help=commands[name].help) if name in commands else None

        def resolve_command(self, ctx: Any, args: list[str]) -> Any:
            name, command, rest = super().resolve_command(ctx, args)
            return name, command and self.commands[str(name)], rest

    return LazyGroup
