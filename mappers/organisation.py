"""Organisation numbers: a Swedish one in the Swedish form, a foreign one as it is. Pure.

Swedish ones have ten digits, the last a check digit (Luhn): of companies, of persons (who may write theirs with
the century, twelve digits) and inside the VAT number `SE…01`.
Source: https://www.skatteverket.se, organisationsnummer; python-stdnum `se.orgnr`.
"""

import re

from stdnum.se import orgnr

LONGEST = 30  # https://developer.fortnox.se documentation, OrganisationNumber

_SEPARATORS = re.compile(r"[\s.\-–+]")
_TEN_DIGITS = re.compile(r"(?:SE)?(?:16|18|19|20)?([0-9]{10})")  # 16: the "century" of a company
_VAT_NUMBER = re.compile(r"SE([0-9]{10})01")


def swedish_form(text: str) -> str | None:
    """`556677-8899` for any spelling of a valid Swedish number, else None."""
    bare = _SEPARATORS.sub("", text).upper()
    match = _VAT_NUMBER.fullmatch(bare) or _TEN_DIGITS.fullmatch(bare)
    if match is None or not orgnr.is_valid(match[1]):
        return None
    return str(orgnr.format(match[1]))


def looks_swedish(text: str) -> bool:
    """Whether it is spelt like a Swedish number: what is then not valid is a mistake, not a foreign number."""
    bare = _SEPARATORS.sub("", text).upper()
    return bool(_VAT_NUMBER.fullmatch(bare) or _TEN_DIGITS.fullmatch(bare))
