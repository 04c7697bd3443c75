"""A token that we sign ourselves, afresh before each one runs out (RFC 7519)."""

import base64
from datetime import datetime
from functools import lru_cache
from typing import Any, Literal, Self

from pydantic import Field, field_validator, model_validator
from pydantic_core import PydanticCustomError

from syncline.auth.auth import Auth, Steps
from syncline.auth.values import HeaderName, KeyEncoding, Referring, bear, decode_key, reveal_all
from syncline.errors import AuthError
from syncline.model import (
    Duration,
    Reference,
    Request,
    Response,
    Secret,
    SecretText,
    Token,
    encode_json,
    register,
    reveal,
)

Algorithm = Literal[
    "HS256", "HS384", "HS512", "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"
]  # fmt: skip
OWN_CLAIMS = ("iat", "exp")
OWN_HEADERS = ("alg",)


@register("auth")
class Jwt(Auth):
    """Signs a JSON Web Token and sends it as a bearer token."""

    kind: Literal["jwt"] = Field(default="jwt", description="A JSON Web Token signed here, with a key of one's own")
    algorithm: Algorithm = Field(description="HS* sign with a shared secret, the others with a private key in PEM")
    key: SecretText = Field(description="Shared secret or private key, by reference: ${file:/run/secrets/key.pem}")
    key_encoding: KeyEncoding = Field(default="text", description="How a shared secret is written down")
    claims: Referring = Field(default={}, description="What the token says (iss, sub, aud, …); iat and exp are added")
    headers: Referring = Field(default={}, description="Further members of the token's header, such as kid")
    lifetime: Duration = Field(default=300.0, description="How long each token holds: exp is iat and this")
    backdate: Duration = Field(
        default=0.0, description="How far before now iat lies, for servers whose clock is behind"
    )
    header: HeaderName = Field(default="Authorization", description="Header that carries the token")
    prefix: str | None = Field(default="Bearer", description="Text before the token; a space follows a word")

    @field_validator("claims", "headers")
    @classmethod
    def _leaves_ours(cls, value: dict[str, Any]) -> dict[str, Any]:
        for name in (*OWN_CLAIMS, *OWN_HEADERS):
            if name in value:
                raise PydanticCustomError(
                    "jwt_claim", "{name} follows from algorithm, lifetime and backdate; remove it", {"name": name}
                )
        return value

    @model_validator(mode="after")
    def _holds_for_a_while(self) -> Self:
        if self.lifetime < 1:
            raise PydanticCustomError("jwt_lifetime", "lifetime must be a second or more", {"loc": ["lifetime"]})
        if not 0 <= self.backdate < self.lifetime:
            raise PydanticCustomError("jwt_backdate", "backdate must be shorter than lifetime", {"loc": ["backdate"]})
        return self

    @property
    def needs_token(self) -> bool:
        return True

    def fresh(self, token: Token, monotonic: float) -> bool:
        return token.fresh(monotonic, min(60.0, self.lifetime / 4))

    def sign(self, request: Request, token: Token | None, now: datetime) -> Request:
        return bear(request, token, self.header, self.prefix)

    def obtain(self, current: Token | None, now: datetime, monotonic: float, challenge: Response | None) -> Steps:
        # who refuses a token judges by a clock of his own (R11)
        theirs = now if challenge is None or challenge.date is None else challenge.date
        issued = int(theirs.timestamp() - self.backdate)
        claims = {**reveal_all(self.claims), "iat": issued, "exp": issued + int(self.lifetime)}
        headers = {"alg": self.algorithm, "typ": "JWT", **reveal_all(self.headers)}
        access = Secret(compact(encode_json(headers), encode_json(claims), self.algorithm, self.key, self.key_encoding))
        yield from ()  # a generator of no requests
        return Token(access=access, expires_at=monotonic + self.lifetime - self.backdate, obtained_at=now)


def compact(
    header: bytes, payload: bytes, algorithm: str, key: Secret | Reference, encoding: KeyEncoding = "text"
) -> str:
    """Header and payload, signed, in the compact serialisation (RFC 7515, 7.1). Raises AuthError."""
    rule, prepared = _prepare(algorithm, key, encoding)
    signed = b".".join((_base64url(header), _base64url(payload)))
    return b".".join((signed, _base64url(rule.sign(signed, prepared)))).decode("ascii")


def _base64url(data: bytes) -> bytes:
    return base64.urlsafe_b64encode(data).rstrip(b"=")


@lru_cache(maxsize=32)
def _prepare(algorithm: str, key: Secret | Reference, encoding: KeyEncoding) -> tuple[Any, Any]:
    """The algorithm and its parsed key; kept, because parsing a PEM takes much longer than signing with it."""
    from jwt.algorithms import get_default_algorithms  # late: only this kind needs it

    rule = get_default_algorithms().get(algorithm)
    if rule is None:
        raise AuthError(
            f"algorithm {algorithm} needs the package cryptography, which is not installed",
            hint="pip install 'syncline[crypto]'",
        )
    if algorithm.startswith("HS"):
        material: Any = decode_key(key, encoding)
    else:
        # an environment variable holds a PEM on one line, with \n written out
        material = reveal(key).replace("\\n", "\n").encode()
    try:
        prepared = rule.prepare_key(material)
    except Exception as error:  # PyJWT and cryptography raise a dozen kinds; their texts may quote the key
        raise AuthError(
            f"the key cannot be used with {algorithm}",
            hint="HS* take a shared secret, the others an unencrypted private key in PEM (-----BEGIN PRIVATE KEY-----)",
            evidence=type(error).__name__,
        ) from None
    if not hasattr(prepared, "sign") and not algorithm.startswith("HS"):
        raise AuthError(f"the key for {algorithm} is a public one", hint="sign with the private key of the pair")
    return rule, prepared
