"""A small OpenID Connect provider for tests: `python -m tests.oidc_provider`. It approves whoever comes.

`POST /control` sets who comes next and how the answer is spoilt. It checks what a provider has to: the client's secret,
the redirect address, PKCE, and that a code is used once.
"""

import base64
import hashlib
import json
import secrets
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

from joserfc import jwt
from joserfc.jwk import KeySet, RSAKey

CLIENT, SECRET = "console", "provider-secret"


class Provider:
    def __init__(self) -> None:
        self.address = ""
        self.keys = [RSAKey.generate_key(2048, {"kid": "one"})]
        self.codes: dict[str, dict[str, str]] = {}
        self.claims: dict[str, Any] = {}
        self.userinfo: dict[str, Any] = {}
        self.spoilt = ""

    def control(self, given: dict[str, Any]) -> None:
        self.claims, self.userinfo = given.get("claims", {}), given.get("userinfo", {})
        self.spoilt = given.get("spoilt", "")
        if given.get("new_key"):
            self.keys = [RSAKey.generate_key(2048, {"kid": secrets.token_hex(4)})]

    def metadata(self) -> dict[str, Any]:
        return {
            "issuer": self.address,
            "authorization_endpoint": f"{self.address}/authorize",
            "token_endpoint": f"{self.address}/token",
            "userinfo_endpoint": f"{self.address}/userinfo",
            "jwks_uri": f"{self.address}/keys",
            "response_types_supported": ["code"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["RS256"],
        }

    def authorize(self, asked: dict[str, str]) -> str:
        assert asked["client_id"] == CLIENT, asked
        assert asked["response_type"] == "code", asked
        assert asked["code_challenge_method"] == "S256", asked
        assert "openid" in asked["scope"].split(), asked
        code = secrets.token_urlsafe()
        self.codes[code] = asked
        return f"{asked['redirect_uri']}?{urlencode({'code': code, 'state': asked['state']})}"

    def token(self, form: dict[str, str], authorization: str) -> dict[str, Any] | None:
        asked = self.codes.pop(form.get("code", ""), None)
        given = base64.b64decode(authorization.removeprefix("Basic ")).decode()
        if asked is None or given != f"{CLIENT}:{SECRET}" or form["redirect_uri"] != asked["redirect_uri"]:
            return None
        digest = base64.urlsafe_b64encode(hashlib.sha256(form["code_verifier"].encode()).digest()).rstrip(b"=").decode()
        if digest != asked["code_challenge"]:
            return None
        return {"access_token": "access", "token_type": "Bearer", "id_token": self.id_token(asked["nonce"])}

    def id_token(self, nonce: str) -> str:
        now = int(time.time())
        claims = {"iss": self.address, "aud": CLIENT, "sub": "u1", "iat": now, "exp": now + 300, "nonce": nonce}
        key, header = self.keys[0], {"alg": "RS256", "kid": self.keys[0].kid}
        match self.spoilt:
            case "nonce":
                claims["nonce"] = "another"
            case "audience":
                claims["aud"] = "another"
            case "audiences":
                claims["aud"] = [CLIENT, "another"]
            case "issuer":
                claims["iss"] = "https://another.example"
            case "expired":
                claims |= {"iat": now - 900, "exp": now - 600}
            case "key":
                key = RSAKey.generate_key(2048)
            case "unsigned":
                parts = ({"alg": "none"}, claims | self.claims)
                return (
                    ".".join(base64.urlsafe_b64encode(json.dumps(p).encode()).rstrip(b"=").decode() for p in parts)
                    + "."
                )
        return jwt.encode(header, claims | self.claims, key)


PROVIDER = Provider()


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        path, query = urlsplit(self.path).path, dict(parse_qsl(urlsplit(self.path).query))
        match path:
            case "/.well-known/openid-configuration":
                self.answer(PROVIDER.metadata())
            case "/keys":
                self.answer(KeySet(PROVIDER.keys).as_dict(private=False))
            case "/userinfo":
                self.answer({"sub": "u1"} | PROVIDER.userinfo)
            case "/authorize":
                self.send_response(302)
                self.send_header("Location", PROVIDER.authorize(query))
                self.send_header("Content-Length", "0")
                self.end_headers()
            case _:
                self.answer({}, 404)

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"])).decode()
        if self.path == "/control":
            PROVIDER.control(json.loads(body))
            self.answer({})
        else:
            found = PROVIDER.token(dict(parse_qsl(body)), self.headers.get("authorization", ""))
            self.answer(found or {"error": "invalid_grant"}, 200 if found else 400)

    def answer(self, document: Any, status: int = 200) -> None:
        body = json.dumps(document).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


def main() -> None:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    PROVIDER.address = f"http://127.0.0.1:{server.server_port}"
    sys.stdout.write(json.dumps({"issuer": PROVIDER.address}) + "\n")
    sys.stdout.flush()
    server.serve_forever()


if __name__ == "__main__":
    main()
