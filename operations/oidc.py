"""Signing in at an OpenID Connect provider: authorization code flow with PKCE, state and nonce (Authlib, joserfc).

https://openid.net/specs/openid-connect-core-1_0.html
"""

import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import requests
import structlog
from authlib.common.errors import AuthlibBaseError
from authlib.integrations.requests_client import OAuth2Session
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from config import Settings
from delivery.services import Services
from stores import Session
from stores.sign_ins import PendingSignIn

log = structlog.get_logger(__name__)

KEPT: Final = 3600.0  # seconds for which what the provider says of itself is kept
TIMEOUT: Final = 10.0
LEEWAY: Final = 60  # seconds between the provider's clock and ours
ALGORITHMS: Final = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA")


class SignInFailed(Exception):
    """The provider did not say who it is, or what it said cannot be trusted."""


class NotKnownHere(Exception):
    """The provider says who it is, and this person is neither an operator nor a viewer."""


@dataclass(frozen=True)
class Provider:
    """What the provider says of itself, and the keys that it signs with."""

    metadata: Mapping[str, Any]
    keys: KeySet
    read_at: float


class SignIns:
    """Signs people in at the provider of the settings. Safe to share between threads."""

    def __init__(self, services: Services) -> None:
        self._settings = services.settings
        self._pending = services.stores.sign_ins
        self._provider: Provider | None = None
        self._lock = threading.Lock()

    def begin(self, browser: str, to: str) -> str:
        """The provider's address where the person signs in. Raises `SignInFailed`."""
        state, pending = self._pending.begin(browser, to)
        with self._session() as session:
            address, _ = session.create_authorization_url(
                self._known().metadata["authorization_endpoint"],
                state=state,
                nonce=pending.nonce,
                code_verifier=pending.verifier,
            )
        return str(address)

    def finish(self, browser: str, state: str, code: str) -> tuple[Session, str]:
        """Who came back from the provider, and where that leads. Raises `SignInFailed` and `NotKnownHere`."""
        pending = self._pending.take(browser, state)
        if pending is None or not code:
            raise SignInFailed("no sign-in was begun in this browser, or no code came back")
        try:
            claims = self._claims(pending, code)
        except (AuthlibBaseError, JoseError, requests.RequestException, ValueError, KeyError) as error:
            log.warning("console.sign_in_failed", error=type(error).__name__)
            raise SignInFailed(type(error).__name__) from None
        return Session(role_of(self._settings, claims), name_of(claims), ""), pending.to

    def _claims(self, pending: PendingSignIn, code: str) -> dict[str, Any]:
        provider = self._known()
        with self._session() as session:
            tokens = session.fetch_token(
                provider.metadata["token_endpoint"],
                code=code,
                code_verifier=pending.verifier,
                timeout=TIMEOUT,
            )
            claims = self._checked(tokens["id_token"], pending.nonce)
            if self._settings.oidc_claim not in claims and "userinfo_endpoint" in provider.metadata:
                said = session.get(provider.metadata["userinfo_endpoint"], timeout=TIMEOUT).json()
                if said.get("sub") == claims["sub"]:
                    claims |= said
        return claims

    def _checked(self, id_token: str, nonce: str) -> dict[str, Any]:
        """The claims of the token. Raises `JoseError` or `ValueError` where it is not for us, now."""
        try:
            token = jwt.decode(id_token, self._known().keys, algorithms=ALGORITHMS)
        except (JoseError, ValueError):  # the provider may sign with a new key
            token = jwt.decode(id_token, self._known(anew=True).keys, algorithms=ALGORITHMS)
        claims = dict(token.claims)
        jwt.JWTClaimsRegistry(
            leeway=LEEWAY,
            iss={"essential": True, "value": self._known().metadata["issuer"]},
            aud={"essential": True, "value": self._settings.oidc_client_id},
            exp={"essential": True},
            iat={"essential": True},
            sub={"essential": True},
            nonce={"essential": True, "value": nonce},
        ).validate(claims)
        audience = claims["aud"]
        if isinstance(audience, list) and len(audience) > 1 and claims.get("azp") != self._settings.oidc_client_id:
            raise ValueError("the token is for another party")
        return claims

    def _session(self) -> OAuth2Session:
        methods = self._known().metadata.get("token_endpoint_auth_methods_supported", ["client_secret_basic"])
        return OAuth2Session(
            self._settings.oidc_client_id,
            self._settings.oidc_client_secret.get_secret_value(),
            scope="openid profile email",
            redirect_uri=f"{self._settings.console_url}/sign-in/callback",
            code_challenge_method="S256",
            token_endpoint_auth_method="client_secret_basic"
            if "client_secret_basic" in methods
            else "client_secret_post",
        )

    def _known(self, *, anew: bool = False) -> Provider:
        """What the provider says of itself, read at most once an hour. Raises `SignInFailed`."""
        with self._lock:
            held = self._provider
            if held is None or anew or time.monotonic() - held.read_at > KEPT:
                held = self._provider = self._read()
            return held

    def _read(self) -> Provider:
        issuer = str(self._settings.oidc_issuer)
        try:
            found = requests.get(f"{issuer}/.well-known/openid-configuration", timeout=TIMEOUT)
            found.raise_for_status()
            metadata = found.json()
            if str(metadata["issuer"]).rstrip("/") != issuer:
                raise ValueError("another issuer answers")
            keys = requests.get(metadata["jwks_uri"], timeout=TIMEOUT)
            keys.raise_for_status()
            return Provider(metadata, KeySet.import_key_set(keys.json()), time.monotonic())
        except (requests.RequestException, JoseError, ValueError, KeyError, TypeError) as error:
            log.warning("console.provider_unreadable", error=type(error).__name__)
            raise SignInFailed(type(error).__name__) from None


def role_of(settings: Settings, claims: Mapping[str, Any]) -> str:
    """The role that the claim of the settings gives. Raises `NotKnownHere`. Pure.

    An e-mail address counts only where the provider has verified it.
    """
    said = claims.get(settings.oidc_claim, ())
    if settings.oidc_claim == "email" and claims.get("email_verified") is not True:
        said = ()
    values = {str(one) for one in (said if isinstance(said, list) else [said] if said else ())}
    if values & set(settings.oidc_operators):
        return "operator"
    if values & set(settings.oidc_viewers):
        return "viewer"
    raise NotKnownHere


def name_of(claims: Mapping[str, Any]) -> str:
    """What the person is called in the audit log. Pure."""
    return str(
        next(filter(None, (claims.get(name) for name in ("preferred_username", "email", "name"))), claims["sub"])
    )[:100]
