"""The sentences of all messages: gettext catalogues in `locale/`, one file for each room, English and Swedish.

A message's key is its gettext id. A sentence names its parameters in braces, `{number}`; `{value:q}` puts the value
into quotation marks. Numbers, amounts and times are written as the language writes them. Text that is not ours (a
name, Fortnox's own words) is shown on one line and shortened, so that it cannot pass for a sentence of this system.
"""

import io
import string
from collections.abc import Mapping
from datetime import date, datetime, timedelta
from decimal import Decimal
from functools import cache
from gettext import GNUTranslations
from pathlib import Path
from typing import Any, Final, Literal
from zoneinfo import ZoneInfo

from babel import Locale
from babel.dates import format_date
from babel.messages.catalog import Catalog
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from babel.numbers import format_decimal

from messages import Message, Money, Param

Language = Literal["sv", "en"]

SWEDEN: Final = ZoneInfo("Europe/Stockholm")  # the clock on the accountant's wall
LONGEST: Final = 500  # characters of a value
LOCALES: Final[Mapping[Language, Locale]] = {"sv": Locale("sv", "SE"), "en": Locale("en", "GB")}
QUOTES: Final[Mapping[Language, tuple[str, str]]] = {"sv": ("”", "”"), "en": ("“", "”")}
DIRECTORY: Final = Path(__file__).parent / "locale"


def say(message: Message, language: Language = "en") -> str:
    """The message as text, its parts one after the other; "" where it says nothing. Never raises."""
    return " ".join(lines(message, language))


def lines(message: Message, language: Language = "en") -> list[str]:
    """The message as text, a line for each of its parts. Never raises."""
    return [_sentence(part, language) for part in message.parts]


def knows(key: str) -> bool:
    """Whether the catalogues have a sentence for this key."""
    return translations("en").gettext(key) != key


def without_commands(message: Message, whom: Param) -> Message:
    """The message for a company's people, who have no command line: in place of a command, they turn to `whom`."""
    return Message.join(*(_without_command(part, whom) for part in message.parts))


def _without_command(part: Message, whom: Param) -> Message:
    name = part.key.replace(".", "-")
    return Message(f"for-company.{name}", whom=whom) if knows(f"for-company.{name}") else part


def shown(value: Param | Any, language: Language) -> str:
    """A parameter as text. Never raises."""
    try:
        return _written(value, language)
    except (ArithmeticError, ValueError):  # a time at the edge of the calendar, a number beyond all numbers
        return one_line(str(value))


def one_line(text: str, longest: int = LONGEST) -> str:
    """The text on one line, without control characters, cut to `longest` characters."""
    flat = " ".join("".join(char if char.isprintable() else " " for char in text).split())
    return flat if len(flat) <= longest else f"{flat[: longest - 1]}…"


def count(n: int, language: Language) -> str:
    return _plain_spaces(format_decimal(n, locale=LOCALES[language]))


def number(value: Decimal, language: Language) -> str:
    """All digits of the number: `12.5` is `12,5` in Swedish."""
    return _plain_spaces(format_decimal(value, locale=LOCALES[language], decimal_quantization=False))


def money(amount: Decimal, currency: str, language: Language) -> str:
    """`12 500,00 kr`, `1 200,00 EUR`; in English `12,500.00 SEK`. The spaces are plain, so that a search finds it."""
    written = format_decimal(amount, "#,##0.00", locale=LOCALES[language])
    return f"{_plain_spaces(written)} {'kr' if (language, currency) == ('sv', 'SEK') else currency}"


def day(value: date, language: Language) -> str:
    """`2026-11-20` in Swedish, `20 Nov 2026` in English."""
    return format_date(value, "short" if language == "sv" else "medium", locale=LOCALES[language])


def time(value: datetime, language: Language) -> str:
    """By the clock in Sweden: `2026-11-20 kl. 14:30`, `20 Nov 2026, 14:30`."""
    local = value.astimezone(SWEDEN)
    return f"{day(local.date(), language)}{' kl. ' if language == 'sv' else ', '}{local:%H:%M}"


def duration(value: timedelta, language: Language) -> str:
    """`4 hours`: in the largest unit that fits, rounded down; in days from two days on."""
    minutes = max(1, int(value.total_seconds() // 60))
    hours, days = minutes // 60, minutes // (24 * 60)
    unit, n = ("days", days) if days >= 2 else ("hours", hours) if hours else ("minutes", minutes)
    return _sentence(Message(f"duration.{unit}", n=n), language)


@cache
def translations(language: Language) -> GNUTranslations:
    """The catalogue of a language, read from all its files."""
    catalogue = Catalog(locale=language)
    for path in sorted((DIRECTORY / language).glob("*.po")):
        with path.open("rb") as file:
            for entry in read_po(file, locale=language):
                catalogue[entry.id] = entry
    compiled = io.BytesIO()
    write_mo(compiled, catalogue)
    compiled.seek(0)
    return GNUTranslations(compiled)


def _sentence(message: Message, language: Language) -> str:
    template = _template(message, language)
    if template is None:  # of another version of this system
        params = ", ".join(f"{name}: {shown(value, language)}" for name, value in message.params.items())
        return one_line(f"{message.key} ({params})")
    return _Formatter(language).vformat(template, (), message.params)


def _template(message: Message, language: Language) -> str | None:
    """The sentence of the message's key in the plural that its `n` selects; None where the key is unknown."""
    key, n = message.key, message.params.get("n")
    catalogue = translations(language)
    found = catalogue.ngettext(key, key, n) if isinstance(n, int) else key
    if found == key:
        found = catalogue.gettext(key)
    return None if found == key else found


def _written(value: Param | Any, language: Language) -> str:
    match value:
        case str():
            return one_line(value)
        case Message():
            return say(value, language)
        case Money(amount, currency):
            return money(amount, one_line(currency), language)
        case tuple():
            return ", ".join(say(one, language) for one in value)
        case int():
            return count(value, language)
        case Decimal():
            return number(value, language)
        case datetime():
            return time(value, language)
        case date():
            return day(value, language)
        case timedelta():
            return duration(value, language)
    return one_line(str(value))


class _Formatter(string.Formatter):
    def __init__(self, language: Language) -> None:
        self._language = language

    def get_value(self, key: int | str, args: Any, kwargs: Mapping[str, Any]) -> Any:
        return kwargs.get(str(key), f"{{{key}}}")

    def format_field(self, value: Any, format_spec: str) -> str:
        text = shown(value, self._language)
        return _quoted(text, self._language) if format_spec == "q" else text


def _quoted(text: str, language: Language) -> str:
    """In quotation marks that the text itself cannot close."""
    opening, closing = QUOTES[language]
    inner = text.replace(opening, '"').replace(closing, '"')
    return f"{opening}{inner}{closing}"


def _plain_spaces(text: str) -> str:
    return text.replace("\u00a0", " ").replace("\u202f", " ").replace("\u2212", "-")
