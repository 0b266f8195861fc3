"""Swedish organisation numbers in the Swedish form. Pure.

They have ten digits, the last a check digit (Luhn). A person's may have the century too (twelve digits), and a VAT
number `SE…01` holds one.
Source: https://www.skatteverket.se, organisationsnummer; python-stdnum `se.orgnr`.
"""

import re

from stdnum.se import orgnr

LONGEST = 30  # https://developer.fortnox.se documentation, OrganisationNumber

_SEPARATORS = re.compile(r"[\s.\-–+]")
_TEN_DIGITS = re.compile(r"(?:SE)?(?:16|18|19|20)?([0-9]{10})")  # 16: the "century" of a company
_VAT_NUMBER = re.compile(r"SE([0-9]{10})01")


def swedish_form(text: str) -> str | None:
    """Return `556677-8899` for any spelling of a valid Swedish number, else None."""
    bare = _SEPARATORS.sub("", text).upper()
    match = _VAT_NUMBER.fullmatch(bare) or _TEN_DIGITS.fullmatch(bare)
    if match is None or not orgnr.is_valid(match[1]):
        return None
    return str(orgnr.format(match[1]))


def looks_swedish(text: str) -> bool:
    """Whether the text is spelt like a Swedish number. If it is not valid, it is mistyped rather than foreign."""
    bare = _SEPARATORS.sub("", text).upper()
    return bool(_VAT_NUMBER.fullmatch(bare) or _TEN_DIGITS.fullmatch(bare))
