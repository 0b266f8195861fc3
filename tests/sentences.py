"""Sentences that a test makes up, as messages: they have no key in the catalogues, and are shown with their text."""

import re

from messages import Message


def sentence(text: str) -> Message:
    """Two sentences that differ in more than numbers have different keys, as real reasons do."""
    return Message("test." + re.sub(r"[^a-z]+", "-", text.lower())[:60], text=text)
