"""Makes text fit Fortnox's allowed characters and lengths. Never raises. Pure. No I/O.

The allowed characters: https://www.fortnox.se/developer/guides-and-good-to-know/formats-and-encoding. Any other, in any
text field, makes Fortnox refuse the whole document (code 2000359).
"""

import re
import unicodedata
from collections.abc import Container

# Every letter (\p{L}) and these.
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
    """Return the text in Fortnox's characters: others are replaced or removed. Keeps line breaks only if `lines`.

    The text is composed (NFC) and has no white space at its ends or in runs. Cleaning twice changes nothing more.
    """
    text = unicodedata.normalize("NFC", text).replace("\r\n", "\n")
    text = re.sub(r"<(?=\S)([^<>\n]*)(?<=\S)>", r"(\1)", text)
    text = re.sub(r"~(?=\s?[0-9])", "ca ", text)
    text = "".join(map(_stand_in, text.translate(_STAND_INS)))
    text = unicodedata.normalize("NFC", text)
    text = re.sub(rf"(?<![^\W\d_])[{MARKS}]+|(?<=[{MARKS}])[{MARKS}]+", "", text)
    return _lines(text) if lines else " ".join(text.split())


def shorten(text: str, limit: int) -> str:
    """Return at most `limit` (2 or more) characters of cleaned text, cut after a word if one ends near the limit.

    A letter keeps its combining mark. No ellipsis marks the cut: Fortnox does not allow it.
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
    """Clean and shorten the text. Returns "" if nothing is left."""
    return shorten(clean(text, lines=lines), limit)


def is_allowed(text: str, *, besides_letters: Container[str] = ALLOWED_BESIDES_LETTERS) -> bool:
    """Whether Fortnox accepts the text as it is: only letters and `besides_letters`."""
    return all(char in besides_letters or _is_letter(char) for char in text)


def _is_letter(char: str) -> bool:
    return unicodedata.category(char).startswith("L")


def _stand_in(char: str) -> str:
    """Return the character, or the allowed characters that Unicode decomposes it into."""
    if char in ALLOWED_BESIDES_LETTERS or _is_letter(char):
        return char
    category = unicodedata.category(char)
    if category == "Nd":
        return str(unicodedata.decimal(char))
    if category in {"Mn", "Mc", "Me", "Cf", "Cc", "Cs"}:
        return ""
    parts = unicodedata.normalize("NFKD", char)
    if parts == char:
        return " "  # an emoji or another symbol: the words around it stay apart
    before = {"<fraction>": " ", "<super>": "^"}.get(unicodedata.decomposition(char).split()[0], "")
    return before + "".join(map(_stand_in, parts.translate(_STAND_INS)))


def _lines(text: str) -> str:
    lines = (" ".join(line.split()) for line in text.split("\n"))
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip()
