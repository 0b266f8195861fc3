"""The front of the Fortnox port: faults, tokens, the rate limit and scopes, in that order, then the resource.

A resource handler never awaits, so the writes of a request are atomic.
"""

import asyncio
import hashlib
import secrets
from collections.abc import AsyncGenerator
from typing import Final, NoReturn

from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.types import Receive, Scope, Send

from sandbox.clock import Clock
from sandbox.faults import Faults
from sandbox.fortnox import (
    attachments,
    customers,
    errors,
    files,
    invoice_payments,
    invoices,
    projects,
    registers,
    supplier_invoices,
)
from sandbox.fortnox.endpoints import Endpoint
from sandbox.fortnox.errors import AttachmentRefused, Refused
from sandbox.fortnox.feed import Feed
from sandbox.fortnox.ledger import Ledger
from sandbox.fortnox.oauth import AccessToken, OAuth
from sandbox.fortnox.options import Options
from sandbox.fortnox.rate_limit import RateLimit
from sandbox.fortnox.tenants import Tenants
from sandbox.http import (
    Answer,
    Call,
    Dropped,
    Handler,
    Router,
    Upload,
    answer_json,
    read_call,
    send_answer,
)
from sandbox.journal import Journal

ENDPOINTS: Final[tuple[Endpoint, ...]] = (
    *registers.ENDPOINTS,
    *customers.ENDPOINTS,
    *projects.ENDPOINTS,
    *invoices.ENDPOINTS,
    *invoice_payments.ENDPOINTS,
    *files.ENDPOINTS,
    *attachments.ENDPOINTS,
    *supplier_invoices.ENDPOINTS,
)
PROJECT_WORDS: Final = {"projects": "projektregister", "customers": "kundregister"}


class Gateway:
    """The ASGI application of the Fortnox port."""

    def __init__(
        self,
        clock: Clock,
        options: Options,
        tenants: Tenants,
        oauth: OAuth,
        faults: Faults,
        journal: Journal,
        local: Router[Handler],
        feed: Feed,
    ) -> None:
        self._clock = clock
        self._options = options
        self._tenants = tenants
        self._oauth = oauth
        self._faults = faults
        self._journal = journal
        self._feed = feed
        self._local = local  # the page and the controls: no faults, no log
        self.rate_limit = RateLimit(options)
        self._api = Router((one.method, one.template, one) for one in ENDPOINTS)
        self._authorization = Router(oauth.routes)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            return await self._feed.serve(scope, receive, send)
        call = await read_call(scope, receive)
        if call is None:
            return
        answer = await self._answer(call)
        if isinstance(answer, Dropped):
            await answer.perform(scope, receive)
        else:
            answer.headers["Date"] = self._clock.http_date()
            await send_answer(answer, send)

    async def _answer(self, call: Call) -> Answer | Dropped:
        call.received = self._clock.now().isoformat(timespec="milliseconds")
        first = call.segments[0] if call.segments else ""
        if first == "oauth-v1":
            return await self._authorize(call)
        if first in ("3", "api"):
            return await self._serve(call)
        found = self._local.find(call.method, call.segments)
        if isinstance(found, int):
            return _unknown_path(found)
        call.params = found.params
        return found.target(call)

    async def _authorize(self, call: Call) -> Answer | Dropped:
        tenant = self._oauth.tenant_of(call)
        found = self._authorization.find(call.method, call.segments)
        if isinstance(found, int):
            return self._noted(call, tenant, "unknown", _unknown_path(found))
        kind = f"{call.method} {found.template}"
        before = self._faults.before(call, tenant)
        refreshes = b"grant_type=refresh_token" in call.body
        await _pause(before.delay + (self._options.refresh_seconds if refreshes else 0))
        if before.outcome is not None:
            return self._noted(call, tenant, kind, before.outcome, fault=before.name)
        answer = found.target(call)
        await _pause(self._options.refresh_answer_seconds if refreshes else 0)
        after = self._faults.after(call, tenant, answer.status)
        if after is not None:
            return self._noted(call, tenant, kind, after[0], fault=after[1])
        return self._noted(call, tenant, kind, answer, fault=before.name)

    async def _serve(self, call: Call) -> Answer | Dropped:
        found = self._api.find(call.method, call.segments)
        kind = "unknown" if isinstance(found, int) else f"{call.method} {found.template}"
        access = self._oauth.access(call.headers.get("authorization", ""))
        if access is None:
            return self._noted(call, None, kind, answer_json({"message": "unauthorized"}, 401))
        tenant = access.grant.tenant
        if not self.rate_limit.admits(tenant, access.grant.client):
            return self._noted(call, tenant, kind, self._too_many(), fault="rate limit")
        before = self._faults.before(call, tenant)
        await _pause(before.delay + self._options.latency_seconds)
        if before.outcome is not None:
            return self._noted(call, tenant, kind, before.outcome, fault=before.name)
        if isinstance(found, int):
            return self._noted(call, tenant, kind, _unknown_path(found))
        call.params = found.params
        ledger = self._tenants.ensure(tenant)
        shown = self._tenants.as_it_was(tenant) if call.method == "GET" else None
        answer = await self._handled(found.target, shown or ledger, access, call)
        after = self._faults.after(call, tenant, answer.status)
        if after is not None:
            ledger.counters[f"unanswered {kind}"] += 1
            return self._noted(call, tenant, kind, after[0], fault=after[1])
        return self._noted(call, tenant, kind, answer, fault=before.name)

    async def _handled(self, endpoint: Endpoint, ledger: Ledger, access: AccessToken, call: Call) -> Answer:
        try:
            _check_permission(endpoint, ledger, access)
            _check_media(endpoint, call)
            if endpoint.media == "multipart/form-data":
                await _read_uploads(call)
            return endpoint.handler(ledger, call)
        except (Refused, AttachmentRefused) as refused:
            if isinstance(refused, Refused):
                refused.message = self._options.texts.get(str(refused.code), refused.message)
            answer = refused.answer()
            answer.status = self._options.statuses.get(str(answer.code), answer.status)
            return answer

    def _too_many(self) -> Answer:
        answer = answer_json({"message": "Too Many Requests"}, 429)
        if self._options.rate_limit_body == "html":
            answer.body, answer.content_type = b"<html><body>Too Many Requests</body></html>", "text/html"
        elif self._options.rate_limit_body == "empty":
            answer.body, answer.content_type = b"", ""
        if self._options.retry_after is not None:
            answer.headers["Retry-After"] = str(self._options.retry_after)
        return answer

    def _noted(
        self, call: Call, tenant: str | None, kind: str, answer: Answer | Dropped, fault: str | None = None
    ) -> Answer | Dropped:
        status, code = None, None
        if isinstance(answer, Answer):
            status, code = answer.status, answer.code
            answer.headers["X-Uid"] = secrets.token_hex(4)  # the id Fortnox gives each request
        self._journal.note(
            time=call.received,
            tenant=tenant,
            method=call.method,
            path=call.path,
            query="&".join(f"{name}={value}" for name, value in call.query),
            kind=kind,
            status=status,
            code=code,
            token=_fingerprint(call),
            fault=fault,
            body=call.body,
        )
        return answer


async def _pause(seconds: float) -> None:
    if seconds > 0:
        await asyncio.sleep(seconds)


def _fingerprint(call: Call) -> str | None:
    """A short digest that tells tokens apart and reveals none."""
    authorization = call.headers.get("authorization", "")
    return hashlib.sha256(authorization.encode()).hexdigest()[:8] if authorization else None


def _unknown_path(status: int) -> Answer:
    # The real API answers what it does not know with a page, not with JSON.
    return Answer(status, f"<html><body><h1>{status}</h1></body></html>".encode(), "text/html")


def _refuse_scope(scope: str) -> NoReturn:
    raise Refused(2000663, f"Har inte behörighet för scope ({scope}).")


def _check_permission(endpoint: Endpoint, ledger: Ledger, access: AccessToken) -> None:
    settings = ledger.settings
    if not settings.api_licence:
        raise Refused(2001103, "Api-licens saknas.", 403)
    if endpoint.scope not in access.scopes:
        _refuse_scope(endpoint.scope)
    if endpoint.scope in settings.unlicensed_scopes:
        raise Refused(2001101, "Det finns ingen aktiv licens för önskat scope", 403)
    if endpoint.resource == "projects" and not settings.project_module:
        raise Refused(errors.NO_PERMISSION, "Saknar behörighet för projektregister.", 403)
    if endpoint.resource in settings.denied_resources and not access.grant.service:
        word = PROJECT_WORDS.get(endpoint.resource, endpoint.resource)
        raise Refused(errors.NO_PERMISSION, f"Saknar behörighet för {word}.", 403)


def _check_media(endpoint: Endpoint, call: Call) -> None:
    accepted = call.headers.get("accept", "*/*").lower()
    if not any(kind in accepted for kind in ("application/json", "application/*", "*/*")):
        raise Refused(1000030, "Invalid response type")
    if call.method in ("POST", "PUT") and call.media_type() != endpoint.media:
        raise Refused(1000031, "Invalid content type")
    if endpoint.is_action and call.body.strip():
        raise errors.no_data()


async def _read_uploads(call: Call) -> None:
    async def body() -> AsyncGenerator[bytes, None]:
        yield call.body

    try:
        form = await MultiPartParser(call.headers, body()).parse()
    except (MultiPartException, KeyError) as error:
        raise errors.no_data() from error
    for name, value in form.multi_items():
        if not isinstance(value, str):
            content = await value.read()
            kind = value.content_type or "application/octet-stream"
            call.uploads.append(Upload(name, value.filename or "", kind, content))
    await form.close()
