"""To whom a company's mails go: its own address; the operator's where it has none or is nobody's."""

import re
from typing import Literal, NamedTuple

from mappers.email import mail_address
from tasks.house import House

MOST = 5  # addresses of one company, separated by commas or semicolons

Language = Literal["sv", "en"]
OPERATORS: Language = "en"


class Recipients(NamedTuple):
    addresses: tuple[str, ...]
    language: Language
    operator: bool = False
    unusable: str = ""  # the company's own address, where that is none


def recipients(house: House, company: str) -> Recipients:
    connection = house.connections.find(company)
    given = (connection.integration.error_email or "") if connection else ""
    parts = [part for part in re.split(r"[,;\s]+", given) if part]
    addresses = tuple(dict.fromkeys(address for part in parts if (address := mail_address(part))))[:MOST]
    if addresses:
        return Recipients(addresses, house.company_settings.get(company).language)
    return operator(house, unusable=given)


def operator(house: House, unusable: str = "") -> Recipients:
    address = house.settings.alerts_to
    return Recipients((address,) if address else (), OPERATORS, operator=True, unusable=unusable)
