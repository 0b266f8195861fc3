"""Who receives a company's mails: its own addresses, or the operator where it has none."""

import re
from typing import Final, NamedTuple

import structlog

from mails.damage import UNREADABLE
from mappers.email import mail_address
from messages import NOTHING, Message
from messages.catalogue import Language
from stores import CompanySettingsStore, ConnectionStore
from stores.settings import CompanySettings

log = structlog.get_logger(__name__)

MAX_ADDRESSES: Final = 5  # of one company
SEPARATORS: Final = re.compile(r"[,;\s]+")  # between them
OPERATORS_LANGUAGE: Final[Language] = "en"
OPERATOR: Final = "_operator"  # in the place of a company: what concerns the whole system
_ADDRESS: Final = re.compile(r"[^\s<>,;()]+@[^\s<>,;()]+\.[^\s<>,;().]+")
_NUMBER_BEHIND: Final = re.compile(r" \([\d-]+\)$")  # the organisation number in `Connection.ledger`


class Recipients(NamedTuple):
    """`note` tells the operator why a company's mail comes to that address."""

    addresses: tuple[str, ...]
    language: Language
    is_operator: bool = False
    note: Message = NOTHING


class AddressBook:
    """`operator` is the address in `ALERTS_TO`, if it is set."""

    def __init__(self, connections: ConnectionStore, settings: CompanySettingsStore, operator: str | None) -> None:
        self._connections = connections
        self._settings = settings
        self._operator = operator

    def of_company(self, company: str) -> Recipients:
        if company == OPERATOR:
            return self.operator()
        try:
            connection = self._connections.find(company)
        except UNREADABLE as error:
            log.error("mail.damaged_connection", company=company, error=type(error).__name__)
            return self.operator(Message("mail.to-operator.damaged"))
        given = (connection.integration.error_email or "") if connection else ""
        parts = [part for part in SEPARATORS.split(given) if part]
        addresses = tuple(dict.fromkeys(address for part in parts if (address := mail_address(part))))[:MAX_ADDRESSES]
        if addresses:
            return Recipients(addresses, self._language(company))
        if given:
            return self.operator(Message("mail.to-operator.not-an-address", address=given))
        return self.operator(Message("mail.to-operator.no-address"))

    def name_of(self, company: str) -> str:
        """The company's own name, as Fortnox has it; "" where it is not known."""
        try:
            connection = self._connections.find(company)
        except UNREADABLE:
            return ""
        return _NUMBER_BEHIND.sub("", connection.ledger) if connection else ""

    def only_operator(self, company: str) -> Recipients:
        """The operator, for what nobody in the company can mend; the company where there is no operator's address."""
        operator = self.operator(NOTHING)
        return operator if operator.addresses else self.of_company(company)

    def operator(self, note: Message = NOTHING) -> Recipients:
        """The operator, if known, with no addresses otherwise."""
        addresses = (self._operator,) if self._operator else ()
        return Recipients(addresses, OPERATORS_LANGUAGE, is_operator=True, note=note)

    def _language(self, company: str) -> Language:
        try:
            return self._settings.get(company).language
        except UNREADABLE as error:
            log.error("mail.damaged_settings", company=company, error=type(error).__name__)
            return CompanySettings.model_validate({}).language


def reply_address(contact: str | None, operator: str | None) -> str:
    """Where answers to a company's mail go: the first address in the contact, or the operator's; "" without both."""
    found = _ADDRESS.search(contact or "") or _ADDRESS.search(operator or "")
    return mail_address(found.group()) or "" if found else ""
