"""To whom a company's mails go: its own address; the operator's where it has none or is nobody's."""

import re
from typing import Literal, NamedTuple

from delivery.services import Services
from mappers.email import mail_address

MOST = 5  # addresses of one company, separated by commas or semicolons

Language = Literal["sv", "en"]
OPERATORS: Language = "en"


class Recipients(NamedTuple):
    addresses: tuple[str, ...]
    language: Language
    operator: bool = False
    unusable: str = ""  # the company's own address, where that is none


def recipients(services: Services, company: str) -> Recipients:
    connection = services.stores.connections.find(company)
    given = (connection.integration.error_email or "") if connection else ""
    parts = [part for part in re.split(r"[,;\s]+", given) if part]
    addresses = tuple(dict.fromkeys(address for part in parts if (address := mail_address(part))))[:MOST]
    if addresses:
        return Recipients(addresses, services.stores.company_settings.get(company).language)
    return operator(services, unusable=given)


def operator(services: Services, unusable: str = "") -> Recipients:
    address = services.settings.alerts_to
    return Recipients((address,) if address else (), OPERATORS, operator=True, unusable=unusable)
