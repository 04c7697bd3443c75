"""authlib's server on loopback: OAuth 1 at /oauth1, OAuth 2 (password, refresh, jwt_bearer) at /token, its API at /orders.

`python authlib_here.py PORT FOLDER`; the folder has public.pem, the key of those who sign.
"""

from __future__ import annotations

import json
import os
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

os.environ["AUTHLIB_INSECURE_TRANSPORT"] = "1"  # loopback

from authlib.oauth1 import ResourceProtector
from authlib.oauth1.rfc5849.errors import OAuth1Error
from authlib.oauth2.rfc6749 import AuthorizationServer, ClientMixin, OAuth2Request, TokenMixin
from authlib.oauth2.rfc6749.grants import RefreshTokenGrant, ResourceOwnerPasswordCredentialsGrant
from authlib.oauth2.rfc6749.requests import BasicOAuth2Payload
from authlib.oauth2.rfc6750 import BearerTokenGenerator
from authlib.oauth2.rfc7523 import JWTBearerGrant

PORT, FOLDER = int(sys.argv[1]), Path(sys.argv[2])
PUBLIC = FOLDER.joinpath("public.pem").read_text()
TOKENS: dict[str, Token] = {}
NONCES: set[tuple[Any, ...]] = set()


class Client(ClientMixin):
    def get_client_id(self) -> str:
        return "app"

    def check_client_secret(self, secret: str) -> bool:
        return secret == "s3cret & more"

    def check_endpoint_auth_method(self, method: str, endpoint: str) -> bool:
        return method in ("client_secret_basic", "client_secret_post")

    def check_grant_type(self, grant_type: str) -> bool:
        return True

    def get_allowed_scope(self, scope: str) -> str:
        return scope or ""

    # and for OAuth 1
    def get_client_secret(self) -> str:
        return "c+s"

    def get_rsa_public_key(self) -> str:
        return PUBLIC


class Token(TokenMixin):
    def __init__(self, data: dict[str, Any]) -> None:
        self.data, self.revoked = data, False

    def check_client(self, client: Client) -> bool:
        return True

    def get_scope(self) -> str:
        return str(self.data.get("scope", ""))

    def get_user(self) -> str:
        return "ada"

    def get_client(self) -> Client:
        return Client()

    # and for OAuth 1
    def get_oauth_token(self) -> str:
        return "tk"

    def get_oauth_token_secret(self) -> str:
        return "t/s"


class Password(ResourceOwnerPasswordCredentialsGrant):
    TOKEN_ENDPOINT_AUTH_METHODS = ("client_secret_basic", "client_secret_post")

    def authenticate_user(self, username: str, password: str) -> str | None:
        return "ada" if (username, password) == ("ada", "pass wörd&") else None


class Refresh(RefreshTokenGrant):
    INCLUDE_NEW_REFRESH_TOKEN = True

    def authenticate_refresh_token(self, refresh_token: str) -> Token | None:
        found = [token for token in TOKENS.values() if token.data.get("refresh_token") == refresh_token]
        return found[0] if found and not found[0].revoked else None

    def authenticate_user(self, credential: Token) -> str:
        return "ada"

    def revoke_old_credential(self, credential: Token) -> None:
        credential.revoked = True


class Signed(JWTBearerGrant):
    def get_audiences(self) -> list[str]:
        return [f"http://127.0.0.1:{PORT}/token"]

    def resolve_issuer_client(self, issuer: str) -> Client | None:
        return Client() if issuer == "robot@p.example" else None

    def resolve_client_public_key(self, client: Client) -> str:
        return PUBLIC

    def authenticate_user(self, subject: str) -> str | None:
        return subject if subject == "ada" else None

    def has_granted_permission(self, client: Client, user: str) -> bool:
        return True


class Server(AuthorizationServer):
    def query_client(self, client_id: str) -> Client | None:
        return Client() if client_id == "app" else None

    def save_token(self, token: dict[str, Any], request: OAuth2Request) -> None:
        TOKENS[token["access_token"]] = Token(token)

    def create_oauth2_request(self, request: OAuth2Request) -> OAuth2Request:
        return request

    def handle_response(self, status: int, body: Any, headers: Any) -> tuple[int, Any]:
        return status, body

    def send_signal(self, name: str, *args: Any, **kwargs: Any) -> None:
        return None


class Request(OAuth2Request):
    form: dict[str, str] | None = None
    args: dict[str, str] | None = None


class Protector(ResourceProtector):
    SUPPORTED_SIGNATURE_METHODS = ("HMAC-SHA1", "RSA-SHA1", "PLAINTEXT")

    def get_client_by_id(self, client_id: str) -> Client | None:
        return Client() if client_id == "ck" else None

    def get_token_credential(self, request: Any) -> Token | None:
        return Token({}) if request.token == "tk" else None

    def exists_nonce(self, nonce: str, request: Any) -> bool:
        known = (nonce, request.timestamp, request.client_id, request.token)
        seen = known in NONCES
        NONCES.add(known)
        return seen


SERVER = Server()
SERVER.register_token_generator(
    "default", BearerTokenGenerator(lambda **_: os.urandom(12).hex(), lambda **_: os.urandom(12).hex())
)
for grant in (Password, Refresh, Signed):
    SERVER.register_grant(grant)


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self.answer(b"")

    def do_POST(self) -> None:
        self.answer(self.rfile.read(int(self.headers.get("Content-Length", 0))))

    def answer(self, body: bytes) -> None:
        url = f"http://127.0.0.1:{PORT}{self.path}"
        path = self.path.partition("?")[0]
        form = {}
        if self.headers.get("Content-Type") == "application/x-www-form-urlencoded":
            form = dict(parse_qsl(body.decode(), keep_blank_values=True))
        if path == "/health":
            self.say(200, {})
        elif path == "/token":
            request = Request(self.command, url, headers=dict(self.headers))
            request.payload, request.form, request.args = BasicOAuth2Payload(form), form, {}
            self.say(*SERVER.create_token_response(request))
        elif path == "/oauth1":
            try:
                Protector().validate_request(self.command, url, form, dict(self.headers))
            except OAuth1Error as error:
                self.say(401, dict(error.get_body()))
            else:
                self.say(200, {"at": time.time()})
        else:
            token = TOKENS.get(self.headers.get("Authorization", "").removeprefix("Bearer "))
            self.say(200 if token and not token.revoked else 401, [])

    def say(self, status: int, body: Any, headers: Any = ()) -> None:
        data = json.dumps(body if isinstance(body, dict | list) else dict(body)).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_: Any) -> None:
        return None


ThreadingHTTPServer(("127.0.0.1", PORT), Handler).serve_forever()
