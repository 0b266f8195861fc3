"""Fortnox's OAuth: the consent address, and tokens for a code, a refresh token or a service account.

https://www.fortnox.se/developer/authorization. A code is valid for 10 minutes and works once. An access token is valid
for an hour. A refresh token is valid for 45 days and works once: each answer brings the next. A service account has no
refresh token; the tenant id gets it a new access token.
"""

import base64
import uuid
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from urllib.parse import urlencode

from pydantic import SecretStr
from requests.auth import HTTPBasicAuth

from fortnox import errors as e
from fortnox.responses import Call, Json, Reply, envelope, oauth_error, parse, unreadable
from fortnox.transport import Http

TOKEN_PATH = "/oauth-v1/token"
REVOKE_PATH = "/oauth-v1/revoke"
AUTHORIZE_PATH = "/oauth-v1/auth"
DEFAULT_LIFETIME = 3600  # seconds
LONGEST_LIFETIME = 30 * 86_400
LONGEST_TOKEN = 16_384  # characters; more than any header may have


@dataclass(frozen=True, slots=True)
class Grant:
    """The tokens that Fortnox issued. `repr` shows none of them."""

    access_token: SecretStr
    expires_at: datetime  # aware, UTC
    refresh_token: SecretStr | None  # None for a service account
    scopes: frozenset[str]
    tenant_id: int | None


class OAuth:
    """Requests of this installation (the OAuth client) to the authorization server."""

    def __init__(
        self,
        auth_url: str,
        client_id: str,
        client_secret: SecretStr,
        *,
        redirect_uri: str | None = None,
        http: Http | None = None,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._auth_url = auth_url.rstrip("/")
        self._client_id = client_id
        self._client_secret = client_secret
        self._redirect_uri = redirect_uri
        self._http = http or Http()
        self._now = now

    def authorize_url(self, state: str, scopes: Iterable[str], *, service_account: bool = False) -> str:
        """Return the address where a person of the company consents to these scopes.

        Fortnox redirects with a code and this `state`.
        """
        query = {
            "client_id": self._client_id,
            **({"redirect_uri": self._redirect_uri} if self._redirect_uri else {}),
            "scope": " ".join(scopes),
            "state": state,
            "access_type": "offline",
            "response_type": "code",
            **({"account_type": "service"} if service_account else {}),
        }
        return f"{self._auth_url}{AUTHORIZE_PATH}?{urlencode(query)}"

    def exchange_code(self, code: str, *, company: str = "") -> Grant:
        """Exchange the code for the first tokens. Raises `CodeRefused`; `OutcomeUnknown` if the code may be used up."""
        form = {"grant_type": "authorization_code", "code": code}
        if self._redirect_uri:
            form["redirect_uri"] = self._redirect_uri
        return self._token(company, form, refused=e.CodeRefused)

    def refresh(self, refresh_token: SecretStr, *, company: str = "") -> Grant:
        """Return the next pair of tokens. Store it before its first use.

        Raises `GrantDead`; `OutcomeUnknown` if the refresh token may be used up.
        """
        form = {"grant_type": "refresh_token", "refresh_token": refresh_token.get_secret_value()}
        return self._token(company, form, refused=e.GrantDead)

    def client_credentials(self, tenant_id: int, *, company: str = "") -> Grant:
        """Return an access token of the service account. Repeatable. Raises `GrantDead`."""
        form = {"grant_type": "client_credentials"}
        grant = self._token(company, form, refused=e.GrantDead, headers={"TenantId": str(tenant_id)}, repeatable=True)
        if grant.tenant_id not in {None, tenant_id}:  # never let one company's token act for another
            raise e.GrantDead(e.Details("POST", TOKEN_PATH, message="The token is another tenant's."))
        return grant

    def revoke(self, refresh_token: SecretStr, *, company: str = "") -> bool:
        """End the consent. Returns whether Fortnox confirmed it. Repeatable."""
        form = {"token_type_hint": "refresh_token", "token": refresh_token.get_secret_value()}
        call = Call("POST", REVOKE_PATH, uuid.uuid4().hex[:16], repeatable=True)
        reply = self._post(company, call, form, {})
        document = _accepted(call, reply, e.GrantDead)
        return bool(isinstance(document, dict) and document.get("revoked"))

    def _token(
        self,
        company: str,
        form: Mapping[str, str],
        *,
        refused: type[e.FortnoxError],
        headers: Mapping[str, str] | None = None,
        repeatable: bool = False,
    ) -> Grant:
        call = Call("POST", TOKEN_PATH, uuid.uuid4().hex[:16], repeatable)
        asked_at = self._now()
        reply = self._post(company, call, form, headers or {})
        document = _accepted(call, reply, refused)
        try:
            return _grant(document, asked_at)
        except (KeyError, TypeError, ValueError, OverflowError):
            # `from None`: the traceback would reach the document, which holds tokens.
            raise unreadable(call, reply.status, "The token answer lacks a token or its lifetime.") from None

    def _post(self, company: str, call: Call, form: Mapping[str, str], headers: Mapping[str, str]) -> Reply:
        return self._http.send(
            company,
            call,
            self._auth_url + call.path,
            auth=HTTPBasicAuth(self._client_id.encode(), self._client_secret.get_secret_value().encode()),
            headers={
                "Accept": "application/json",
                "Content-Type": "application/x-www-form-urlencoded",
                "Cache-Control": "no-store",
                **headers,
            },
            body=urlencode(form).encode(),
        )


def tenant_id_of(access_token: str) -> int | None:
    """Return the `tenantId` claim of an access token; None if it has none.

    The signature is not verified: the token came from Fortnox over TLS, and the claim only says which company to ask
    for, never whom to trust.
    """
    try:
        payload = access_token.split(".")[1]
        claims = parse(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
        return int(claims["tenantId"]) if isinstance(claims, dict) else None
    except (IndexError, KeyError, TypeError, ValueError):  # `binascii.Error` is a ValueError
        return None


def _accepted(call: Call, reply: Reply, refused: type[e.FortnoxError]) -> Json:
    document = parse(reply.body)
    if reply.status == 200 and isinstance(document, dict) and envelope(document, reply.status) is None:
        return document
    if reply.status == 200:
        raise unreadable(call, reply.status, "The answer is not a JSON object.")
    raise oauth_error(call, reply, refused)


def _grant(document: Mapping[str, Json], asked_at: datetime) -> Grant:
    access_token = _token_text(document["access_token"])
    refresh_token = document.get("refresh_token")
    return Grant(
        access_token=SecretStr(access_token),
        expires_at=asked_at + timedelta(seconds=_lifetime(document.get("expires_in"))),
        refresh_token=SecretStr(_token_text(refresh_token)) if refresh_token else None,
        scopes=frozenset(str(document.get("scope") or "")[:LONGEST_TOKEN].split()),
        tenant_id=tenant_id_of(access_token),
    )


def _token_text(value: Json) -> str:
    """Return the token. Raises TypeError for what no header can hold."""
    if not isinstance(value, str) or not (value.isascii() and value.isprintable() and 0 < len(value) <= LONGEST_TOKEN):
        raise TypeError("not a token")
    return value


def _lifetime(value: Json) -> float:
    """Return the seconds that a token is valid; the usual hour if the answer's make no sense."""
    seconds = float(value or 0)
    return seconds if 0 < seconds <= LONGEST_LIFETIME else DEFAULT_LIFETIME
