"""Fortnox's authorization server: consents, codes, rotating refresh tokens, client credentials.

Sources: https://www.fortnox.se/developer/authorization for lifetimes and grants; recorded responses for the
odd content types of its errors; a measured account of what two simultaneous refreshes do.
"""

import base64
import binascii
import hashlib
import hmac
import secrets
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from html import escape
from typing import Final
from urllib.parse import parse_qsl, urlencode, urlsplit

from sandbox.clock import Clock, elapsed
from sandbox.fortnox.ledger import Ledger
from sandbox.fortnox.options import Options
from sandbox.fortnox.tenants import Tenants
from sandbox.http import Answer, Call, Handler, Json, answer_html, answer_json, dump

SCOPES: Final = frozenset(
    str.split(
        "archive article assets bookkeeping companyinformation connectfile costcenter currency customer "
        "inbox invoice noxfinansinvoice offer order payment price print profile project salary settings "
        "supplier supplierinvoice timereporting warehouse"
    )
)
SIGNING_KEY: Final = secrets.token_bytes(32)


@dataclass(slots=True)
class Grant:
    """One consent: what a client may do in one ledger."""

    tenant: str
    client: str
    scopes: frozenset[str]
    service: bool
    exchanged: bool = False  # its code was used; client credentials need that
    revoked: bool = False


@dataclass(slots=True)
class Code:
    grant: Grant
    expires: datetime
    redirect_uri: str | None = None
    used: bool = False


@dataclass(slots=True)
class AccessToken:
    grant: Grant
    scopes: frozenset[str]
    expires: datetime
    void: bool = False


@dataclass(slots=True)
class RefreshToken:
    grant: Grant
    expires: datetime
    used_at: float | None = None  # real time, for the race
    shown: int = 0  # how often it was presented, whatever the answer
    void: bool = False
    issued: list["AccessToken | RefreshToken"] = field(default_factory=list)  # in exchange for this one


class OAuthRefused(Exception):
    """An OAuth error. Recorded: 401 as text/plain, 400 as text/html, both with a JSON body."""

    def __init__(self, error: str, description: str, status: int = 400) -> None:
        super().__init__(error, description, status)
        self.error = error
        self.description = description
        self.status = status

    def answer(self) -> Answer:
        document = {"error": self.error, "error_description": self.description}
        kind = "text/plain" if self.status == 401 else "text/html"
        answer = answer_json(document, self.status, content_type=f"{kind};charset=UTF-8")
        answer.code = self.error
        return answer


class OAuth:
    def __init__(self, clock: Clock, options: Options, tenants: Tenants) -> None:
        self._clock = clock
        self._options = options
        self._tenants = tenants
        self.clear()

    def clear(self) -> None:
        self.grants: list[Grant] = []
        self.codes: dict[str, Code] = {}
        self.access_tokens: dict[str, AccessToken] = {}
        self.refresh_tokens: dict[str, RefreshToken] = {}

    @property
    def routes(self) -> tuple[tuple[str, str, Handler], ...]:
        return (
            ("GET", "/oauth-v1/auth", self.consent_page),
            ("POST", "/oauth-v1/auth", self.decide),
            ("POST", "/oauth-v1/token", self.token),
            ("POST", "/oauth-v1/revoke", self.revoke),
        )

    # -- for the rest of the sandbox ---------------------------------------------------------------

    def access(self, authorization: str) -> AccessToken | None:
        """The live access token of an `Authorization` header, or None."""
        kind, _, value = authorization.partition(" ")
        token = self.access_tokens.get(value)
        if kind.lower() != "bearer" or token is None:
            return None
        if token.void or token.grant.revoked or token.expires <= self._clock.now():
            return None
        return token

    def consent(
        self,
        tenant: str,
        client: str,
        scopes: frozenset[str],
        *,
        service: bool,
        redirect_uri: str | None = None,
    ) -> str:
        """Approve as a person would. Return the code that the redirect carries."""
        grant = Grant(tenant, client, scopes, service)
        self.grants.append(grant)
        code = secrets.token_urlsafe(24)
        expires = self._clock.now() + timedelta(seconds=self._options.code_seconds)
        self.codes[code] = Code(grant, expires, redirect_uri)
        return code

    def withdraw(self, tenant: str) -> int:
        """Remove the company's consent in Fortnox. Returns the number of grants that ended."""
        ended = [grant for grant in self.grants if grant.tenant == tenant and not grant.revoked]
        for grant in ended:
            grant.revoked = True
        return len(ended)

    def expire(self, tenant: str | None, *, access: bool, refresh: bool) -> int:
        """Expire tokens now. Returns how many."""
        tokens: list[AccessToken | RefreshToken] = []
        if access:
            tokens += self.access_tokens.values()
        if refresh:
            tokens += self.refresh_tokens.values()
        live = [t for t in tokens if not t.void and (tenant is None or t.grant.tenant == tenant)]
        for token in live:
            token.expires = self._clock.now()
        return len(live)

    def refreshes(self, tenant: str) -> Json:
        """Each refresh token of a tenant, oldest first, by a fingerprint: how often it was presented, and
        whether it is still accepted."""
        now = self._clock.now()
        return [
            {
                "token": hashlib.sha256(value.encode()).hexdigest()[:12],
                "shown": token.shown,
                "usable": token.used_at is None and not (token.void or token.grant.revoked) and token.expires > now,
            }
            for value, token in self.refresh_tokens.items()
            if token.grant.tenant == tenant
        ]

    def tenant_of(self, call: Call) -> str | None:
        """The tenant whose token a request concerns, for the log and for faults."""
        form = _form(call)
        code = self.codes.get(form.get("code", ""))
        if code is not None:
            return code.grant.tenant
        token = self.refresh_tokens.get(form.get("refresh_token", "") or form.get("token", ""))
        if token is not None:
            return token.grant.tenant
        ledger = self._tenants.by_database_number(call.headers.get("tenantid", ""))
        return ledger.name if ledger else None

    # -- /oauth-v1/token --------------------------------------------------------------------------

    def token(self, call: Call) -> Answer:
        try:
            return self._token(call)
        except OAuthRefused as refused:
            return refused.answer()

    def _token(self, call: Call) -> Answer:
        client = self._client(call)
        form = _form(call)
        if call.media_type() != "application/x-www-form-urlencoded":
            raise OAuthRefused("invalid_request", "The request must be form-encoded")
        match form.get("grant_type"):
            case "authorization_code":
                return self._exchange(client, form)
            case "refresh_token":
                return self._refresh(client, form)
            case "client_credentials":
                return self._client_credentials(client, form, call.headers.get("tenantid", ""))
            case _:
                raise OAuthRefused("unsupported_grant_type", "The grant type is not supported")

    def _client(self, call: Call) -> str:
        kind, _, encoded = call.headers.get("authorization", "").partition(" ")
        try:
            name, _, secret = base64.b64decode(encoded, validate=True).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError):
            name = secret = ""
        if kind.lower() != "basic" or not secret or self._options.clients.get(name) != secret:
            raise OAuthRefused("invalid_client", "The client credentials are invalid", 401)
        return name

    def _exchange(self, client: str, form: dict[str, str]) -> Answer:
        code = self.codes.get(form.get("code", ""))
        known = code is not None and code.grant.client == client and not code.grant.revoked
        if code is None or not known or code.used or code.expires <= self._clock.now():
            raise OAuthRefused("invalid_grant", "Authorization code doesn't exist or is invalid for the client")
        if code.redirect_uri is not None and form.get("redirect_uri") != code.redirect_uri:
            raise OAuthRefused("invalid_grant", "Invalid redirect URI")
        code.used = True
        code.grant.exchanged = True
        return self._pair(code.grant, None)

    def _refresh(self, client: str, form: dict[str, str]) -> Answer:
        """A used token is refused at once, except in the race: then both succeed, and only the last
        pair works."""
        token = self.refresh_tokens.get(form.get("refresh_token", ""))
        refused = OAuthRefused("invalid_grant", "Invalid refresh token")
        if token is not None:
            token.shown += 1
        if token is None or token.void or token.grant.revoked or token.grant.client != client:
            raise refused
        if token.expires <= self._clock.now():
            raise refused
        now = elapsed()
        if token.used_at is None:
            token.used_at = now
        elif now - token.used_at > self._options.refresh_race_window:
            raise refused
        for issued in token.issued:
            issued.void = True
        return self._pair(token.grant, token)

    def _client_credentials(self, client: str, form: dict[str, str], tenant_id: str) -> Answer:
        if not self._options.service_accounts_allowed:  # RFC 6749, 5.2
            raise OAuthRefused("unauthorized_client", "Client does not allow service account")
        ledger = self._tenants.by_database_number(tenant_id)
        consents = [
            grant
            for grant in self.grants
            if ledger is not None
            and (grant.tenant, grant.client) == (ledger.name, client)
            and grant.service
            and grant.exchanged
            and not grant.revoked
        ]
        if not consents:
            raise OAuthRefused("invalid_grant", "No service account consent for this tenant")
        grant = consents[-1]
        scopes = frozenset(form.get("scope", "").split()) or grant.scopes
        if not scopes <= grant.scopes:
            raise OAuthRefused("invalid_scope", "The requested scope was not consented to")
        value, _ = self._access_token(grant, scopes)
        return answer_json(self._document(value, scopes))

    def _pair(self, grant: Grant, exchanged: RefreshToken | None) -> Answer:
        value, access = self._access_token(grant, grant.scopes)
        refresh_value = secrets.token_urlsafe(32)
        refresh = RefreshToken(grant, self._clock.now() + timedelta(days=self._options.refresh_token_days))
        self.refresh_tokens[refresh_value] = refresh
        if exchanged is not None:
            exchanged.issued += [access, refresh]
        document = self._document(value, grant.scopes)
        return answer_json({**document, "refresh_token": refresh_value})

    def _access_token(self, grant: Grant, scopes: frozenset[str]) -> tuple[str, AccessToken]:
        now = self._clock.now()
        expires = now + timedelta(seconds=self._options.access_token_seconds)
        ledger = self._tenants.ensure(grant.tenant)
        claims = {
            "sub": f"{ledger.database_number}:service" if grant.service else f"{ledger.database_number}:user",
            "tenantId": ledger.database_number,
            "clientId": grant.client,
            "scope": sorted(scopes),
            "iat": int(now.timestamp()),
            "exp": int(expires.timestamp()),
            "jti": secrets.token_hex(8),
        }
        signed = f"{_segment(dump({'alg': 'HS256', 'typ': 'JWT'}))}.{_segment(dump(claims))}"
        signature = hmac.new(SIGNING_KEY, signed.encode(), hashlib.sha256).digest()
        value = f"{signed}.{_segment(signature)}"
        token = AccessToken(grant, scopes, expires)
        self.access_tokens[value] = token
        return value, token

    def _document(self, access_token: str, scopes: frozenset[str]) -> dict[str, str | int]:
        return {
            "access_token": access_token,
            "token_type": "bearer",
            "scope": " ".join(sorted(scopes)),
            "expires_in": int(self._options.access_token_seconds),
        }

    # -- /oauth-v1/revoke -------------------------------------------------------------------------

    def revoke(self, call: Call) -> Answer:
        """Ends the grant a refresh token belongs to. A service account's consent is ended in Fortnox itself:
        there only the token dies."""
        try:
            client = self._client(call)
        except OAuthRefused as refused:
            return refused.answer()
        token = self.refresh_tokens.get(_form(call).get("token", ""))
        known = token is not None and token.grant.client == client and not (token.void or token.grant.revoked)
        if token is not None and known:
            token.void = True
            token.grant.revoked = not token.grant.service
        return answer_json({"revoked": known})

    # -- /oauth-v1/auth ---------------------------------------------------------------------------

    def consent_page(self, call: Call) -> Answer:
        asked = dict(call.query)
        problem = self._problem(asked)
        if problem:
            return answer_html(_page("<h1>Something is missing</h1>", f"<p>{escape(problem)}</p>"), 400)
        hidden = "".join(
            f'<input type="hidden" name="{escape(name)}" value="{escape(value)}">' for name, value in asked.items()
        )
        choices = "".join(f"<option>{escape(name)}</option>" for name in self._tenants.ledgers)
        kind = "a service account" if asked.get("account_type") == "service" else "your own user"
        form = (
            f"<p><b>{escape(asked['client_id'])}</b> asks for access as {kind}:</p>"
            f"<p>{escape(asked['scope'])}</p><form method='post'>{hidden}"
            f"<p><label>Company <select name='tenant'>{choices}</select></label></p>"
            "<p><button name='decision' value='approve'>Approve</button> "
            "<button name='decision' value='deny'>Deny</button></p></form>"
        )
        return answer_html(_page("<h1>Connect to Fortnox (sandbox)</h1>", form))

    def decide(self, call: Call) -> Answer:
        asked = _form(call)
        problem = self._problem(asked)
        ledger: Ledger | None = self._tenants.get(asked.get("tenant", ""))
        if problem or ledger is None:
            problem = problem or "no such company"
            return answer_html(_page("<h1>Something is missing</h1>", f"<p>{escape(problem)}</p>"), 400)
        service = asked.get("account_type") == "service"
        if asked.get("decision") != "approve":
            result = {"error": "access_denied"}
        elif service and not self._options.service_accounts_allowed:
            result = {
                "error": "invalid_request",
                "error_description": "Client does not allow service account",
            }
        else:
            scopes = frozenset(asked["scope"].split())
            uri = asked["redirect_uri"]
            code = self.consent(ledger.name, asked["client_id"], scopes, service=service, redirect_uri=uri)
            result = {"code": code}
        result["state"] = asked.get("state", "")
        separator = "&" if urlsplit(asked["redirect_uri"]).query else "?"
        location = f"{asked['redirect_uri']}{separator}{urlencode(result)}"
        return Answer(302, b"", "", {"Location": location})

    def _problem(self, asked: dict[str, str]) -> str | None:
        if asked.get("client_id") not in self._options.clients:
            return "unknown client_id"
        if asked.get("response_type") != "code":
            return "response_type must be code"
        if urlsplit(asked.get("redirect_uri", "")).scheme not in ("http", "https"):
            return "redirect_uri must be an absolute address"
        scopes = set(asked.get("scope", "").split())
        if not scopes or not scopes <= SCOPES:
            return "invalid_scope"
        return None


def _form(call: Call) -> dict[str, str]:
    return dict(parse_qsl(call.body.decode("utf-8", "replace"), keep_blank_values=True))


def _segment(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()


def _page(heading: str, content: str) -> str:
    style = "body{font:16px/1.5 system-ui;max-width:34rem;margin:4rem auto;color-scheme:light dark}"
    return f"<!doctype html><meta charset=utf-8><title>Fortnox sandbox</title><style>{style}</style>{heading}{content}"
