"""Every other address: the same page, whether or not somebody is signed in."""

from fastapi import APIRouter

from console.access import ALL, allow
from console.errors import not_found

router = APIRouter()


@router.get("/{path:path}")
@allow(*ALL)
def missing(path: str) -> None:
    raise not_found()
