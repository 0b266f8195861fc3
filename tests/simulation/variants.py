"""Variants of the engine's Lua, made by replacing text: broken ones for the test of the test, and smaller budgets."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from ordering.queries import LUA


@dataclass(frozen=True, slots=True)
class Patch:
    """In this script, this text becomes that. The text must be there, once."""

    script: str
    old: str
    new: str


class PatchDoesNotFit(ValueError):
    """The script has changed: the patch has to be written anew."""


def write_variant(directory: Path, patches: Iterable[Patch]) -> None:
    """Writes the engine's scripts, patched, into a new directory. Raises `PatchDoesNotFit`."""
    scripts = {path.name: path.read_text() for path in LUA.glob("*.lua")}
    for patch in patches:
        found = scripts[patch.script].count(patch.old)
        if found != 1:
            raise PatchDoesNotFit(f"{patch.script} has this {found} times, not once: {patch.old}")
        scripts[patch.script] = scripts[patch.script].replace(patch.old, patch.new)
    directory.mkdir(parents=True)
    for name, text in scripts.items():
        (directory / name).write_text(text)


# Not broken: a call looks at 2 waiters instead of 200, so that worlds of a few events reach the rest of the way.
# What the pump takes up first of what was put off is then not left to chance, or a seed could not be replayed.
SMALL_BUDGET = (
    Patch("common.lua", "local looks = 200", "local looks = 2"),
    Patch(
        "pump.lua",
        "local key = redis.call('SPOP', P .. 'unblocked')",
        "local key = redis.call('SORT', P .. 'unblocked', 'ALPHA', 'LIMIT', 0, 1)[1]\n"
        "  if key then redis.call('SREM', P .. 'unblocked', key) end",
    ),
)
