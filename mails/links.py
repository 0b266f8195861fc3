"""The console's addresses in mails: sealed links for a company's people, plain ones for operators, who sign in."""

from urllib.parse import quote, urlencode

from mails.audience import LinkTo
from stores.mail_links import MailLinks


def links_for(console_url: str | None, links: MailLinks, *, is_operator: bool) -> LinkTo | None:
    """How a mail links to the console; None without one."""
    if console_url is None:
        return None

    def of_operator(company: str, *, event: str = "", cause: str = "", connect: bool = False) -> str:
        return f"{console_url}{path_of(company, event=event, cause=cause, connect=connect)}"

    def of_company(company: str, *, event: str = "", cause: str = "", connect: bool = False) -> str:
        return f"{console_url}/l/{links.make(company, event=event, cause=cause, connect=connect)}"

    return of_operator if is_operator else of_company


def path_of(company: str, *, event: str = "", cause: str = "", connect: bool = False) -> str:
    """The path of the page in the console."""
    if event:
        return f"/events/{quote(company, safe='')}/{quote(event, safe='')}"
    if cause or not company:
        query = urlencode({name: value for name, value in (("company", company), ("cause", cause)) if value})
        return f"/failures?{query}" if query else "/failures"
    return f"/companies/{quote(company, safe='')}{'/connect' if connect else ''}"
