"""Why an operation was not done. Each error is a message; the operation has changed nothing unless it says so."""

import re
from typing import Final

from redis.exceptions import AuthenticationError, InvalidResponse, OutOfMemoryError, RedisError, ResponseError

from config import Settings
from config.redis_connections import IsCluster, IsSentinel, TooOld, WrongNode
from config.redis_replicas import TooFewReplicas
from messages import Message

_NO_WRITES: Final = re.compile(
    r"\b(OOM|READONLY|MISCONF|NOREPLICAS)\b"
)  # Redis's words, also inside the error of a script


class OperationError(Exception):
    """The operation was not done; `message` says why."""

    def __init__(self, message: Message) -> None:
        super().__init__(message)
        self.message = message


class WrongArgument(OperationError):
    """An argument cannot be right, whatever the state of the system."""


class UnknownCompany(WrongArgument):
    """No event of the company was ever accepted. `like`: the known company whose name is most like it."""

    def __init__(self, company: str, like: str = "") -> None:
        if like:
            super().__init__(Message("operation.unknown-company-like", company=company, like=like))
        else:
            super().__init__(Message("operation.unknown-company", company=company))


class UnknownEvent(OperationError):
    """The company has no event of this id; no company has, where `company` is empty."""

    def __init__(self, company: str, event_id: str) -> None:
        if company:
            super().__init__(Message("operation.unknown-event", company=company, event=event_id))
        else:
            super().__init__(Message("operation.event-of-nobody", event=event_id))


def redis_problem(settings: Settings, error: RedisError) -> Message:
    """What is wrong with Redis, and what to do."""
    address, said = settings.redis_place, str(error)
    if isinstance(error, TooOld):
        return Message("redis.too-old", address=address, version=error.version, needed=error.needed)
    if isinstance(error, IsCluster):
        return Message("redis.cluster", address=address)
    if isinstance(error, IsSentinel):
        return Message("redis.sentinel", address=address)
    if isinstance(error, AuthenticationError):
        return Message("redis.login", address=address, error=said)
    if isinstance(error, TooFewReplicas):
        return Message("redis.too-few-replicas", address=address, found=str(error.found), wanted=str(error.wanted))
    if isinstance(error, OutOfMemoryError) or _NO_WRITES.search(said):
        return Message("redis.refuses-writes", address=address, error=said)
    # It answers: that it still loads its data, or that it has enough clients.
    if isinstance(error, ResponseError | WrongNode) or "max number of clients" in said:
        return Message("redis.refuses-command", address=address, error=said)
    if isinstance(error, InvalidResponse) or "Protocol error" in said:  # the second from hiredis
        return Message("redis.something-else", address=address)
    return Message("redis.silent", address=address, error=said)
