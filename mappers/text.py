"""Text as Fortnox takes it: its allowed characters, its lengths. Never fails. Pure. No I/O.

Source of the set: https://www.fortnox.se/developer/guides-and-good-to-know/formats-and-encoding. Anything
else in any text field has the whole document refused (code 2000359).
"""

import re
import unicodedata
from collections.abc import Container

# Every content (\p{L}) and these.
ALLOWED_BESIDES_LETTERS = frozenset("0123456789 –:.`´’,;^¤#%§£$€¢¥©™°&/()=+-*_!?²³®½@\\\n\r\u00a0\u0308\u030a")
MARKS = "\u0308\u030a"  # the two combining marks of the set: diaeresis and ring

_STAND_INS = str.maketrans(
    {
        **dict.fromkeys("'‘‚‛′‹›", "’"),
        **dict.fromkeys('"“”„‟″«»', "’’"),  # two, so that 19" (inches) does not become 19’ (feet)
        **dict.fromkeys("[{⟨", "("),
        **dict.fromkeys("]}⟩", ")"),
        **dict.fromkeys("|¦", "/"),
        **dict.fromkeys("—―‒", "–"),
        **dict.fromkeys("‐‑−⁃•‣◦▪●■·∙~→⇒➔", "-"),
        **dict.fromkeys("<>¿¡", " "),
        **dict.fromkeys("\t", " "),
        **dict.fromkeys("\r\v\f\x85\u2028\u2029", "\n"),
        "…": "...",
        "×": "x",
        "÷": "/",
        "±": "+/-",
        "≈": "ca ",
        "‰": " promille",
        "⁄": "/",
    }
)


def clean(text: str, *, lines: bool = False) -> str:
    """The text in Fortnox's characters: stand-ins where there are some, else nothing. Line breaks only if `lines`.

    Composed (NFC), without white space at its ends or in runs. Cleaning twice changes nothing more.
    """
    text = unicodedata.normalize("NFC", text).replace("\r\n", "\n")
    text = re.sub(r"<(?=\S)([^<>\n]*)(?<=\S)>", r"(\1)", text)
    text = re.sub(r"~(?=\s?[0-9])", "ca ", text)
    text = "".join(map(_stand_in, text.translate(_STAND_INS)))
    text = unicodedata.normalize("NFC", text)
    text = re.sub(rf"(?<![^\W\d_])[{MARKS}]+|(?<=[{MARKS}])[{MARKS}]+", "", text)
    return _lines(text) if lines else " ".join(text.split())


def shorten(text: str, limit: int) -> str:
    """At most `limit` (2 or more) characters of cleaned text, cut after a word if one ends near the limit.

    A content keeps its combining mark. Nothing marks the cut: the ellipsis is not among Fortnox's characters.
    """
    if len(text) <= limit:
        return text
    cut = limit
    while text[cut] in MARKS:
        cut -= 1
    head = text[:cut]
    if not text[cut].isspace():
        words = re.match(r".*(?=\s)", head, re.DOTALL)
        if words and words.end() >= limit * 2 // 3:
            head = words.group()
    return head.rstrip().rstrip(",;:-–/(&+").rstrip() or head.strip()


def fitted(text: str, limit: int, *, lines: bool = False) -> str:
    """Cleaned and then shortened; empty when nothing is left of it."""
    return shorten(clean(text, lines=lines), limit)


def is_allowed(text: str, *, besides_letters: Container[str] = ALLOWED_BESIDES_LETTERS) -> bool:
    """Whether Fortnox takes the text as it is: only letters and `besides_letters`."""
    return all(char in besides_letters or _is_letter(char) for char in text)


def _is_letter(char: str) -> bool:
    return unicodedata.category(char).startswith("L")


def _stand_in(char: str) -> str:
    """The character, or what Unicode knows it to be made of, as far as Fortnox takes it."""
    if char in ALLOWED_BESIDES_LETTERS or _is_letter(char):
        return char
    category = unicodedata.category(char)
    if category == "Nd":
        return str(unicodedata.decimal(char))
    if category in {"Mn", "Mc", "Me", "Cf", "Cc", "Cs"}:
        return ""
    parts = unicodedata.normalize("NFKD", char)
    if parts == char:
        return " "  # an emoji or another symbol: what it stood between stays apart
    before = {"<fraction>": " ", "<super>": "^"}.get(unicodedata.decomposition(char).split()[0], "")
    return before + "".join(map(_stand_in, parts.translate(_STAND_INS)))


def _lines(text: str) -> str:
    lines = (" ".join(line.split()) for line in text.split("\n"))
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip()
