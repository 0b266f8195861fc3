"""Who may use the door: whoever has a producer's key, for its companies, so often as `API_RATE_LIMIT` says."""

import math
import re
from typing import Annotated, Final

from fastapi import Depends, Request
from fastapi.security import HTTPBearer
from fastapi.security.http import HTTPAuthorizationCredentials

from console.access import services_of
from console.api.answers import ApiRefusal
from delivery.services import Services
from operations.audit import Actor, ActorKind
from stores.producer_keys import ProducerKey

CODE: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,62}")
BEARER: Final = HTTPBearer(auto_error=False, description="A key that `moment-fortnox keys producer new` printed.")

Here = Annotated[Services, Depends(services_of)]


def key_of(
    request: Request, services: Here, given: Annotated[HTTPAuthorizationCredentials | None, Depends(BEARER)]
) -> ProducerKey:
    """The key of the request. Raises `ApiRefusal`: 401 without one, 429 where it was used too often."""
    key = services.stores.producer_keys.find(given.credentials) if given else None
    if key is None:
        raise ApiRefusal(401, headers={"www-authenticate": "Bearer"})
    limit = services.settings.api_rate_limit
    used, ends_in = services.stores.producer_keys.use(key.name, limit.seconds)
    if used > limit.requests:
        raise ApiRefusal(429, headers={"retry-after": str(max(1, math.ceil(ends_in)))})
    return key


Key = Annotated[ProducerKey, Depends(key_of)]


def actor_of(key: ProducerKey) -> Actor:
    """Who acts with the key."""
    return Actor(ActorKind.KEY, key.name)


def check_company(key: ProducerKey, company: str) -> None:
    """Raises `ApiRefusal` with 404 where the key is not for the company: as where there is no such company."""
    if not (CODE.fullmatch(company) and key.allows(company)):
        raise ApiRefusal(404)
