"""The names of a company's accounts in Fortnox, for whoever chooses some. Asked for once a day."""

from delivery.services import Services
from fortnox.codes import explain
from fortnox.errors import FortnoxError
from messages import Message
from operations.errors import OperationError, WrongArgument
from operations.naming import check_company


def known_accounts(services: Services, company: str) -> dict[str, str]:
    """Number → name, as far as it was read in the last day."""
    return services.stores.charts.read(company)


def read_accounts(services: Services, company: str) -> dict[str, str]:
    """Number → name of each active account, from Fortnox where it was not read in the last day.

    Raises `WrongArgument` where the company is not connected, and `OperationError` where Fortnox does not answer.
    """
    check_company(services, company)
    if known := known_accounts(services, company):
        return known
    connection = services.stores.connections.find(company)
    if connection is None or connection.state != "connected":
        raise WrongArgument(Message("operation.not-connected", company=company))
    try:
        found = services.fortnox.read(company).accounts.list()
        names = {str(one.number): one.description or "" for one in found if one.active}
    except FortnoxError as error:
        raise OperationError(Message.join(*explain(error))) from None
    services.stores.charts.write(company, names)
    return names
