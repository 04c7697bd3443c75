"""Secrets managers that stand in for the real ones: each checks who asks as strictly as its model, and keeps one secret."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import parse_qsl

import jwt
from aiohttp import web
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

CANARY = "canary/0123456789+secret"
LOGIN = "canary-login-0123456789"
TOKEN = "canary-token-0123456789"
KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
PEM = KEY.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()

Environment = dict[str, str]


class StandIn:
    """`asked` counts requests by path; `answer` may be replaced to misbehave."""

    reference: str
    routes: Mapping[str, str] = {}

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.status = 200
        self.value: str = CANARY

    async def __call__(self, request: web.Request) -> web.StreamResponse:
        self.asked.append(f"{request.method} {request.path}")
        if self.status != 200:
            # as some services do: what they were sent comes back
            said = {"message": f"no: {dict(request.headers)} {(await request.read()).decode()}"}
            return web.json_response(said, status=self.status)
        return await self.answer(request)

    async def answer(self, request: web.Request) -> web.StreamResponse:
        raise NotImplementedError

    def environment(self, url: str, write: Callable[[str, str], str]) -> Environment:
        """What the machine must say; `write` puts a file down and gives its path."""
        raise NotImplementedError


class Vault(StandIn):
    reference = "vault:secret/shop/api#token"

    def environment(self, url: str, write: Callable[[str, str], str]) -> Environment:
        return {"VAULT_ADDR": url, "VAULT_TOKEN": TOKEN, "VAULT_NAMESPACE": "team"}

    async def answer(self, request: web.Request) -> web.StreamResponse:
        if request.headers.get("X-Vault-Namespace") != "team":
            return web.json_response({"errors": ["no handler for this route"]}, status=404)
        if request.path == "/v1/auth/approle/login":
            if await request.json() != {"role_id": "shop", "secret_id": LOGIN}:
                return web.json_response({"errors": ["invalid role or secret ID"]}, status=400)
            return web.json_response({"auth": {"client_token": TOKEN, "lease_duration": 60}})
        if request.headers.get("X-Vault-Token") != TOKEN:
            return web.json_response({"errors": ["permission denied"]}, status=403)
        if request.path != "/v1/secret/data/shop/api":
            return web.json_response({"errors": []}, status=404)
        data = {"token": self.value, "port": 8443, "empty": ""}
        return web.json_response({"data": {"data": data, "metadata": {"version": 3}}})


class Aws(StandIn):
    reference = "aws-sm:shop/api#token"

    def environment(self, url: str, write: Callable[[str, str], str]) -> Environment:
        return {
            "AWS_ENDPOINT_URL_SECRETS_MANAGER": url,
            "AWS_ACCESS_KEY_ID": "AKIDEXAMPLE",
            "AWS_SECRET_ACCESS_KEY": LOGIN,
            "AWS_SESSION_TOKEN": TOKEN,
            "AWS_REGION": "eu-central-1",
        }

    async def answer(self, request: web.Request) -> web.StreamResponse:
        if request.path == "/latest/api/token" and request.method == "PUT":
            assert int(request.headers["X-aws-ec2-metadata-token-ttl-seconds"]) > 0
            return web.Response(text="canary-imds-token")
        keys = {"AccessKeyId": "AKIDEXAMPLE", "SecretAccessKey": LOGIN, "Token": TOKEN}
        if request.path == "/v2/credentials/x":
            return web.json_response(keys if request.headers.get("Authorization") == "canary-ecs" else {}, status=200)
        if request.path.startswith("/latest/meta-data/iam/security-credentials/"):
            if request.headers.get("X-aws-ec2-metadata-token") != "canary-imds-token":
                return web.Response(status=401)
            return web.json_response(keys) if request.path.endswith("/shop-role") else web.Response(text="shop-role\n")
        body = await request.read()
        if (
            request.headers.get("Authorization") != _sigv4(request, body)
            or request.headers["X-Amz-Security-Token"] != TOKEN
        ):
            return web.json_response({"__type": "InvalidSignatureException"}, status=400)
        assert request.headers["X-Amz-Target"] == "secretsmanager.GetSecretValue"
        if json.loads(body)["SecretId"] not in ("shop/api", "arn:aws:secretsmanager:eu-central-1:1:secret:shop/api-x"):
            return web.json_response({"__type": "ResourceNotFoundException"}, status=400)
        return web.json_response({"SecretString": json.dumps({"token": self.value, "port": 8443, "empty": ""})})


def _sigv4(request: web.Request, body: bytes) -> str:
    """The signature as AWS works it out, from what arrived."""
    given = request.headers.get("Authorization", "")
    names = given.partition("SignedHeaders=")[2].partition(",")[0]
    stamp = request.headers["X-Amz-Date"]
    assert {"host", "x-amz-date", "x-amz-target", "x-amz-security-token"} <= set(names.split(";"))
    lines = [f"{name}:{request.headers[name].strip()}" for name in names.split(";")]
    hashed = hashlib.sha256(body).hexdigest()
    canonical = "\n".join([request.method, request.path, "", *lines, "", names, hashed])
    scope = f"{stamp[:8]}/eu-central-1/secretsmanager/aws4_request"
    text = f"AWS4-HMAC-SHA256\n{stamp}\n{scope}\n{hashlib.sha256(canonical.encode()).hexdigest()}"
    key = b"AWS4" + LOGIN.encode()
    for part in scope.split("/"):
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    signature = hmac.new(key, text.encode(), hashlib.sha256).hexdigest()
    return f"AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/{scope}, SignedHeaders={names}, Signature={signature}"


class Gcp(StandIn):
    reference = "gcp-sm:projects/shop/secrets/api/versions/latest#token"

    def environment(self, url: str, write: Callable[[str, str], str]) -> Environment:
        key = {
            "type": "service_account",
            "client_email": "sync@shop.example",
            "private_key_id": "k1",
            "private_key": PEM,
            "token_uri": f"{url}/token",
        }
        return {
            "CLOUDSDK_API_ENDPOINT_OVERRIDES_SECRETMANAGER": f"{url}/",
            "GOOGLE_APPLICATION_CREDENTIALS": write("key.json", json.dumps(key)),
        }

    async def answer(self, request: web.Request) -> web.StreamResponse:
        if request.path == "/token":
            form = dict(parse_qsl(await request.text()))
            if form["grant_type"] == "refresh_token":
                good = (form["client_id"], form["client_secret"], form["refresh_token"]) == ("id", "canary-x", LOGIN)
                return web.json_response(
                    {"access_token": TOKEN} if good else {"error": "invalid_grant"}, status=200 if good else 400
                )
            assert form["grant_type"] == "urn:ietf:params:oauth:grant-type:jwt-bearer"
            claims = jwt.decode(form["assertion"], KEY.public_key(), algorithms=["RS256"], audience=str(request.url))
            assert claims["iss"] == "sync@shop.example"
            assert claims["scope"] == "https://www.googleapis.com/auth/cloud-platform"
            assert claims["exp"] - claims["iat"] == 3600
            return web.json_response({"access_token": TOKEN, "expires_in": 3599})
        if request.path == "/computeMetadata/v1/instance/service-accounts/default/token":
            if request.headers.get("Metadata-Flavor") != "Google":
                return web.Response(status=403)
            return web.json_response({"access_token": TOKEN, "expires_in": 3599})
        if request.headers.get("Authorization") != f"Bearer {TOKEN}":
            return web.json_response({"error": {"code": 401, "status": "UNAUTHENTICATED"}}, status=401)
        if request.path != "/v1/projects/shop/secrets/api/versions/latest:access":
            return web.json_response({"error": {"code": 404, "message": "Secret not found"}}, status=404)
        text = json.dumps({"token": self.value, "port": 8443, "empty": ""})
        return web.json_response({"payload": {"data": base64.b64encode(text.encode()).decode()}})


class Azure(StandIn):
    reference = "azure-kv:shop-vault/api#token"

    def environment(self, url: str, write: Callable[[str, str], str]) -> Environment:
        return {
            "AZURE_KEYVAULT_URL": url,
            "AZURE_AUTHORITY_HOST": url,
            "AZURE_TENANT_ID": "shop-tenant",
            "AZURE_CLIENT_ID": "shop-client",
            "AZURE_CLIENT_SECRET": LOGIN,
        }

    async def answer(self, request: web.Request) -> web.StreamResponse:
        if request.path == "/shop-tenant/oauth2/v2.0/token":
            form: dict[str, Any] = dict(parse_qsl(await request.text()))
            assert form["scope"] == "https://vault.azure.net/.default"
            proof = form.get("client_secret") or (
                form["client_assertion_type"] == "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
                and form["client_assertion"]
            )
            if (form["grant_type"], form["client_id"], proof) != ("client_credentials", "shop-client", LOGIN):
                return web.json_response({"error": "invalid_client", "error_description": "AADSTS7000215"}, status=401)
            return web.json_response({"access_token": TOKEN, "token_type": "Bearer"})
        if request.path == "/metadata/identity/oauth2/token":
            if request.headers.get("Metadata") != "true" or request.query["resource"] != "https://vault.azure.net":
                return web.Response(status=400)
            return web.json_response({"access_token": TOKEN})
        if request.path == "/msi/token":
            if request.headers.get("X-IDENTITY-HEADER") != "canary-identity":
                return web.Response(status=401)
            return web.json_response({"access_token": TOKEN})
        if request.headers.get("Authorization") != f"Bearer {TOKEN}" or request.query["api-version"] != "7.4":
            return web.json_response({"error": {"code": "Unauthorized", "message": "AKV10000"}}, status=401)
        if request.path != "/secrets/api":
            return web.json_response({"error": {"code": "SecretNotFound", "message": "was not found"}}, status=404)
        return web.json_response({"value": json.dumps({"token": self.value, "port": 8443, "empty": ""}), "id": "x"})


ALL: list[type[StandIn]] = [Vault, Aws, Gcp, Azure]
