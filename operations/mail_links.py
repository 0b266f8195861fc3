"""The links in a company's mails: asking for a new one, and revoking all of a company."""

from delivery.services import Services
from operations.audit import Actor, ActorKind, acting, audited
from operations.naming import check_company


@audited("links.revoked")
def revoke(services: Services, company: str, *, by: Actor) -> None:
    """Revoke all links that the company was mailed, and end what they opened. Raises `WrongArgument`."""
    check_company(services, company)
    services.stores.mail_links.revoke(company)


def ask_anew(services: Services, token: str) -> None:
    """Have a new link mailed to the company whose link this was, however old. Nothing where it was none of ours."""
    link = services.stores.mail_links.read(token)
    if link is None or services.stores.connections.find(link.company) is None:
        return
    with acting(services, Actor(ActorKind.LINK, link.name), "link.asked", link.company):
        services.stores.mail_links.ask(link.company)
    services.request_report()
