"""A client certificate, as a description: the transport makes TLS of it."""

from typing import Any

import msgspec
from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from syncline.model import Part, Secret, SecretText, Text, reveal


class Certificate(msgspec.Struct, frozen=True, kw_only=True):
    """Each of `chain` and `key` is a path or the PEM text itself; no `key` means that it stands in the chain's file.

    `chain` may be secret only because it came by reference.
    """

    chain: Secret
    key: Secret | None = None
    password: Secret | None = None


class CertificateFields(Part):
    """A certificate and its key."""

    certificate: Text = Field(description="Path of the certificate (PEM, with its chain), or its text by reference")
    key: Text | None = Field(
        default=None,
        description="Path of the private key (PEM), or its text by reference; none if it is beside the certificate",
    )
    password: SecretText | None = Field(default=None, description="Password of the private key, by reference")

    @model_validator(mode="before")
    @classmethod
    def _keeps_keys_out_of_the_file(cls, value: Any) -> Any:
        if isinstance(value, dict) and "PRIVATE KEY" in str(value.get("key", "")):
            what = "a private key stands in the file; write its path, or ${file:/run/secrets/key.pem}"
            raise PydanticCustomError("literal_secret", what, {"loc": ["key"]})
        return value

    def described(self) -> Certificate:
        return Certificate(
            chain=Secret(reveal(self.certificate)),
            key=Secret(reveal(self.key)) if self.key is not None else None,
            password=Secret(reveal(self.password)) if self.password is not None else None,
        )
