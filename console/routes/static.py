"""The style sheet, the script and the icon. Their addresses change with their content, so browsers keep them."""

from typing import Final

from fastapi import APIRouter
from fastapi.responses import Response

from console.access import ALL, allow
from console.errors import not_found
from console.pages import static_files

router = APIRouter()

TYPES: Final = {"css": "text/css; charset=utf-8", "js": "text/javascript; charset=utf-8", "svg": "image/svg+xml"}


@router.get("/static/{name}")
@allow(*ALL)
def static(name: str) -> Response:
    if name not in static_files():
        raise not_found()
    headers = {"cache-control": "public, max-age=31536000, immutable"}
    return Response(static_files()[name][0], media_type=TYPES[name.rpartition(".")[2]], headers=headers)
