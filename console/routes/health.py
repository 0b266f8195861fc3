"""`/healthz`: whether this process and its Redis serve."""

from fastapi import APIRouter
from fastapi.responses import PlainTextResponse
from redis.exceptions import RedisError

from console.access import ALL, Serving, allow

router = APIRouter()


@router.get("/healthz")
@allow(*ALL)
def healthz(services: Serving) -> PlainTextResponse:
    """200 where Redis takes writes, else 503. Tells nothing more: it is open."""
    try:
        services.telemetry.heartbeats.check_writable(services.redis)
    except RedisError:
        return PlainTextResponse("redis\n", 503)
    return PlainTextResponse("ok\n")
