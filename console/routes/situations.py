"""`/situations/{name}`: why Fortnox can say no, and what to do. The same texts as docs/situations."""

from fastapi import APIRouter, Request
from fastapi.responses import Response

from console.access import SIGNED_IN, allow
from console.errors import not_found
from console.pages import page
from fortnox.situation_pages import situation_page
from fortnox.situations import SITUATIONS, explanation

router = APIRouter()


@router.get("/situations")
@allow(*SIGNED_IN, own=True)
def situations(request: Request) -> Response:
    pages = {name: situation_page(name) for name in SITUATIONS}
    return page(request, "situations.html", pages=pages, explanation=explanation)


@router.get("/situations/{name}")
@allow(*SIGNED_IN, own=True)
def situation(request: Request, name: str) -> Response:
    if name not in SITUATIONS:
        raise not_found()
    return page(
        request,
        "situation.html",
        name=name,
        situation=SITUATIONS[name],
        explanation=explanation(name),
        texts=situation_page(name),
    )
