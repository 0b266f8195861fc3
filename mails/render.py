"""Renders a mail's content as text and as HTML (jinja2; the HTML is escaped)."""

import re
from pathlib import Path
from textwrap import fill

from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape

from mails.content import MailContent

WIDTH = 76  # columns: a quoted reply still fits in 80

TEMPLATES = Environment(
    loader=FileSystemLoader(Path(__file__).parent / "templates"),
    undefined=StrictUndefined,
    autoescape=select_autoescape(["html"]),
    trim_blocks=True,
    lstrip_blocks=True,
)


def _wrapped(text: str, indent: int = 0, first: str = "") -> str:
    """In lines of at most 76 columns; a longer word (a link) stays whole."""
    margin = " " * indent
    return fill(
        text,
        WIDTH,
        initial_indent=first or margin,
        subsequent_indent=margin,
        break_long_words=False,
        break_on_hyphens=False,
    )


TEMPLATES.filters["wrapped"] = _wrapped


def as_text(content: MailContent) -> str:
    text = TEMPLATES.get_template("mail.txt").render(content=content)
    return re.sub(r"\n{3,}", "\n\n", text)


def as_html(content: MailContent) -> str:
    return TEMPLATES.get_template("mail.html").render(content=content)
