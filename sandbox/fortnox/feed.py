"""The feed of changes, `/topics-v1`: one WebSocket for all tenants of an integration.

Sources: https://www.fortnox.se/developer/guides-and-good-to-know/websockets for the events, and clients that run
against the real service for the commands. What nobody has published is an option (`feed_…`).
"""

import asyncio
import contextlib
import json
from dataclasses import dataclass, field
from typing import Any, Final

from starlette.types import Receive, Scope, Send

from sandbox.clock import Clock, elapsed
from sandbox.fortnox.happenings import SCOPES, TOPICS, Happening, Happenings, number_of
from sandbox.fortnox.oauth import AccessToken, OAuth
from sandbox.fortnox.options import Options
from sandbox.fortnox.tenants import Tenants
from sandbox.http import Json, dump
from sandbox.serving import Activity

PATH: Final = "/topics-v1"
ALL_TOPICS: Final = frozenset(TOPICS.values())
COMMANDS: Final = ("add-tenants-v1", "add-topics-v1", "subscribe-v1", "remove-tenants-v1", "list-tenants-v1")
LOOK_EVERY: Final = 0.25  # seconds between two looks whether a socket has been idle for too long


@dataclass(slots=True)
class Tenant:
    """A tenant of a socket. It is told what came after the event with the number `since`."""

    token: AccessToken
    since: int


@dataclass(slots=True)
class Session:
    """One socket."""

    send: Send
    transport: Any
    activity: Activity
    tenants: dict[int, Tenant] = field(default_factory=dict)
    topics: dict[str, int] = field(default_factory=dict)  # each with the number of the last event not to tell
    subscribed: bool = False
    silent: bool = False
    told: int = 0  # the number of the last event that was looked at
    wake: asyncio.Event = field(default_factory=asyncio.Event)

    async def say(self, document: Json) -> None:
        if not self.silent:
            await self.send({"type": "websocket.send", "text": dump(document).decode()})

    async def close(self, code: int) -> None:
        with contextlib.suppress(RuntimeError, OSError):  # closed already
            await self.send({"type": "websocket.close", "code": code})


class CommandRefused(Exception):
    """The command is answered with `error` and these fields."""

    def __init__(self, **fields: Json) -> None:
        super().__init__(fields)
        self.fields = fields


class Feed:
    """Serves the sockets. Everything runs on the sandbox's event loop."""

    def __init__(self, clock: Clock, options: Options, tenants: Tenants, oauth: OAuth, happenings: Happenings) -> None:
        self._clock = clock
        self._options = options
        self._tenants = tenants
        self._oauth = oauth
        self._happenings = happenings
        self.sessions: list[Session] = []
        self.connections = 0  # ever opened
        self.commands: dict[str, int] = {}
        self.sent = 0  # events, over all sockets; those lost count, doubles do not
        self._tasks: set[asyncio.Task[None]] = set()

    def clear(self) -> None:
        self.close_all(1001)
        self.connections = self.sent = 0
        self.commands = {}

    def as_json(self) -> Json:
        return {
            "sockets": len(self.sessions),
            "subscribed": sum(one.subscribed for one in self.sessions),
            "connections": self.connections,
            "tenants": sorted({number for one in self.sessions for number in one.tenants}),
            "topics": sorted({topic for one in self.sessions for topic in one.topics}),
            "commands": self.commands,
            "events": self._happenings.last,
            "sent": self.sent,
        }

    # -- what a test does to the sockets ----------------------------------------------------------

    def close_all(self, code: int | None = None) -> int:
        """Close every socket, with this code or the one of the options."""
        for session in list(self.sessions):
            self._soon(session.close(self._options.feed_close_code if code is None else code))
        return len(self.sessions)

    def silence(self) -> int:
        """Make every socket silent: it stays open, answers no ping, and tells nothing more."""
        for session in self.sessions:
            session.silent = True
            session.transport.pause_reading()
        return len(self.sessions)

    def say(self, **content: str | bytes) -> int:
        """Send this `text`, or these `bytes`, to every socket, as it is."""
        for session in self.sessions:
            self._soon(session.send({"type": "websocket.send", **content}))
        return len(self.sessions)

    def send_frame(self, frame: bytes) -> int:
        """Write these bytes to every socket's connection, whether they are a frame or not."""
        for session in self.sessions:
            session.transport.write(frame)
        return len(self.sessions)

    def revoked(self, tenant: str) -> None:
        """A company withdrew its consent. Whether and how Fortnox tells that is not published."""
        number = self._tenants.ensure(tenant).database_number
        for session in self.sessions:
            if number not in session.tenants or self._options.feed_revoked == "silent":
                continue
            if self._options.feed_revoked == "closed":
                self._soon(session.close(self._options.feed_close_code))
                continue
            del session.tenants[number]
            self._soon(session.say({"response": "remove-tenants-v1", "result": "ok", "tenants": [number]}))

    def _soon(self, work: Any) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    # -- one socket -------------------------------------------------------------------------------

    async def serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["path"] != PATH or not self._options.feed_enabled:
            await send({"type": "websocket.close", "code": 1000})  # before it is accepted: 403
            return
        await receive()
        await send({"type": "websocket.accept"})
        session = Session(send, scope["state"]["transport"], scope["state"]["activity"])
        self.sessions.append(session)
        self.connections += 1
        self._happenings.waiting.add(session.wake)
        telling = asyncio.create_task(self._tell(session))
        idling = asyncio.create_task(self._watch(session))
        try:
            while (message := await receive())["type"] == "websocket.receive":
                session.activity.at = elapsed()
                await self._obey(session, message.get("text"))
        except (OSError, RuntimeError):
            pass  # the client is gone
        finally:
            self.sessions.remove(session)
            self._happenings.waiting.discard(session.wake)
            for task in (telling, idling):
                task.cancel()
            await asyncio.gather(telling, idling, return_exceptions=True)

    async def _watch(self, session: Session) -> None:
        while True:
            await asyncio.sleep(LOOK_EVERY)
            idle = self._options.feed_idle_seconds
            if idle and elapsed() - session.activity.at > idle:
                await session.close(self._options.feed_close_code)

    async def _obey(self, session: Session, text: str | None) -> None:
        if text is None:
            return await session.close(1003)  # binary
        try:
            given = json.loads(text)
            command = given["command"]
        except (ValueError, KeyError, TypeError):
            return await session.close(1007)
        if command not in COMMANDS:
            if self._options.feed_unknown_command == "closed":
                await session.close(self._options.feed_close_code)
            elif self._options.feed_unknown_command == "error":
                await session.say({"response": command, "result": "error"})
            return None
        self.commands[command] = self.commands.get(command, 0) + 1
        try:
            fields = getattr(self, "_" + command.removesuffix("-v1").replace("-", "_"))(session, given)
            await session.say({"response": command, "result": "ok", **fields})
        except CommandRefused as refusal:
            await session.say({"response": command, "result": "error", **refusal.fields})
        except (KeyError, TypeError, ValueError, AttributeError):
            await session.say({"response": command, "result": "error"})
        session.wake.set()

    # -- the commands -----------------------------------------------------------------------------

    def _add_tenants(self, session: Session, given: Json) -> Json:
        options = self._options
        if given["clientSecret"] not in options.clients.values():
            raise CommandRefused()
        if not isinstance(given.get("includeChildTenants", False), bool):
            raise CommandRefused()
        tokens = list(given["accessTokens"])
        if not tokens or (options.feed_tenants_per_command and len(tokens) > options.feed_tenants_per_command):
            raise CommandRefused()
        found = {token: self._oauth.access(f"Bearer {token.removeprefix('Bearer ')}") for token in tokens}
        invalid = [token for token, access in found.items() if access is None]
        if invalid and options.feed_invalid_tokens == "refused":
            raise CommandRefused(invalidTokens=invalid)
        if invalid and options.feed_invalid_tokens == "unnamed":
            raise CommandRefused()
        numbers = {token: self._join(session, access) for token, access in found.items() if access is not None}
        if invalid and options.feed_invalid_tokens == "partly":
            raise CommandRefused(invalidTokens=invalid, tenantIds=numbers)
        return {"tenantIds": numbers}

    def _join(self, session: Session, access: AccessToken) -> int:
        number = self._tenants.ensure(access.grant.tenant).database_number
        late = session.subscribed and not self._options.feed_replays_to_late_tenants
        known = session.tenants.get(number)
        since = known.since if known else self._happenings.last if late else 0
        session.tenants[number] = Tenant(access, since)
        if session.subscribed and known is None and self._options.feed_replays_to_late_tenants:
            session.told = min(session.topics.values(), default=session.told)
        return number

    def _add_topics(self, session: Session, given: Json) -> Json:
        if not session.tenants:
            raise CommandRefused()
        asked: dict[str, int] = {}
        invalid = []
        for one in given["topics"]:
            since = self._since(one.get("offset"))
            if one["topic"] not in ALL_TOPICS or since is None:
                invalid.append(one["topic"])
            else:
                asked[one["topic"]] = since
        if invalid:
            raise CommandRefused(invalidTopics=invalid)
        session.topics |= asked
        return {}

    def _since(self, offset: str | None) -> int | None:
        """The number of the last event not to tell; None where the offset is refused."""
        last = self._happenings.last
        if offset is None:
            return last
        number = number_of(offset)
        if number is not None and number <= last:
            return number
        return {"earliest": 0, "now": last, "refused": None}[self._options.feed_unknown_offset]

    def _subscribe(self, session: Session, given: Json) -> Json:
        if not session.topics:
            raise CommandRefused()
        session.subscribed = True
        session.told = min(session.topics.values())
        return {}

    def _remove_tenants(self, session: Session, given: Json) -> Json:
        for number in given["tenants"]:
            session.tenants.pop(number, None)
        return {}

    def _list_tenants(self, session: Session, given: Json) -> Json:
        return {"tenantIds": sorted(session.tenants)}

    # -- telling ----------------------------------------------------------------------------------

    async def _tell(self, session: Session) -> None:
        while True:
            await session.wake.wait()
            session.wake.clear()
            if not session.subscribed:
                continue
            for happening in list(self._happenings.since(session.told)):
                session.told = happening.number
                if not self._concerns(session, happening):
                    continue
                await asyncio.sleep(self._options.feed_delay_seconds)
                self.sent += 1
                if self._options.feed_lose_every and self.sent % self._options.feed_lose_every == 0:
                    continue
                doubled = self._options.feed_double_every and self.sent % self._options.feed_double_every == 0
                for _ in range(2 if doubled else 1):
                    await session.say(happening.as_json())

    def _concerns(self, session: Session, happening: Happening) -> bool:
        tenant = session.tenants.get(happening.tenant_id)
        if tenant is None or tenant.token.grant.revoked:
            return False
        if self._options.feed_expired_tokens == "removed" and tenant.token.expires <= self._clock.now():
            return False
        scope = SCOPES.get(happening.topic)
        return (
            (scope is None or scope in tenant.token.scopes)
            and happening.number > tenant.since
            and happening.number > session.topics.get(happening.topic, happening.number)
        )
