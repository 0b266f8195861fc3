"""A message in the reader's language, line by line. Pure. No I/O."""

from messages import Message
from messages.catalogue import Language, lines


def said(message: Message, language: str) -> list[str]:
    """The message in the language, line by line."""
    spoken: Language = "sv" if language == "sv" else "en"
    return lines(message, spoken)
