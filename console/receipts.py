"""After something was done the browser is sent to a page that says so once, so that reloading it does nothing again."""

from fastapi import Request
from fastapi.responses import RedirectResponse

from console.access import browser_of, services_of
from messages import NOTHING, Message


def told(request: Request, to: str, message: Message) -> RedirectResponse:
    """Send the browser to this page of ours, which says the message."""
    receipt = services_of(request).stores.receipts.put(browser_of(request), message)
    return RedirectResponse(f"{to}{'&' if '?' in to else '?'}receipt={receipt}", 303)


def receipt_of(request: Request) -> Message:
    """What this page says about what was done before; `NOTHING` where there is nothing to say."""
    receipt = request.query_params.get("receipt", "")
    return services_of(request).stores.receipts.take(browser_of(request), receipt[:100]) if receipt else NOTHING
