"""A client certificate as the only credential, or beside others (RFC 8705)."""

from datetime import datetime
from typing import Literal

from pydantic import Field

from syncline.auth.auth import Auth
from syncline.auth.certificate import Certificate, CertificateFields
from syncline.model import Request, Token, register


@register("auth")
class Mtls(Auth, CertificateFields):
    """Shows a client certificate when the connection is made; requests themselves stay as they are."""

    kind: Literal["mtls"] = Field(default="mtls", description="A client certificate")

    @property
    def client_certificate(self) -> Certificate | None:
        return self.described()

    def sign(self, request: Request, token: Token | None, now: datetime) -> Request:
        return request
