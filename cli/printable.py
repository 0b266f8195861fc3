"""Text from outside as a terminal, a spreadsheet or a program can take it: unprintable characters are escaped.

A name or an id can hold escape sequences, C1 controls or direction marks, which make a terminal show something else
than what is there.
"""

import json
import unicodedata
from typing import Any

from rich.console import Console
from rich.text import Text


def printable(text: str) -> str:
    r"""The text with each unprintable character as in a Python string: `\x1b`, `\n`, `\u202e`."""
    return text if text.isprintable() else "".join(map(_escaped, text))


def json_text(value: Any) -> str:
    r"""One line of JSON, with unprintable characters as `\u009b`: it reads back as it was."""
    text = json.dumps(value, ensure_ascii=False, default=str)
    if text.isprintable():
        return text
    return "".join(char if _is_printable(char) else json.dumps(char)[1:-1] for char in text)


def _is_printable(char: str) -> bool:
    return char.isprintable() or unicodedata.category(char) == "Zs"  # a no-break space is a space


def _escaped(char: str) -> str:
    return char if _is_printable(char) else char.encode("unicode_escape").decode()


class SafeConsole(Console):
    """Escapes what is unprintable in everything that it prints, but for line breaks. Piped, no sentence is wrapped."""

    def print(self, *objects: Any, soft_wrap: bool | None = None, **options: Any) -> None:
        if soft_wrap is None and not self.is_terminal:
            soft_wrap = all(isinstance(one, str) for one in objects)
        super().print(*objects, soft_wrap=soft_wrap, **options)

    def render_str(self, text: str, **options: Any) -> Text:
        safe = text if text.isprintable() else "".join(char if char == "\n" else _escaped(char) for char in text)
        return super().render_str(safe, **options)
