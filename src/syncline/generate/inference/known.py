"""What one source of knowledge says of an API, before any guess is made."""

from __future__ import annotations

import msgspec

from syncline.generate.inference.operation import Operation


class Flow(msgspec.Struct, frozen=True, kw_only=True):
    """One way to an OAuth 2.0 token."""

    authorize_url: str | None = None
    token_url: str | None = None
    refresh_url: str | None = None
    device_url: str | None = None
    scopes: tuple[str, ...] = ()


class Scheme(msgspec.Struct, frozen=True, kw_only=True):
    """A way to authorise requests, as a document tells it.

    `kind` is apikey, basic, bearer, digest, oauth2, openid, mtls, sigv4 or whatever else is written; `where` and `key` belong to
    apikey; `flows` to oauth2, by the names of OpenAPI 3; `address` is an OpenID Connect discovery document.
    """

    name: str
    kind: str
    where: str = "header"
    key: str = ""
    description: str = ""
    address: str | None = None
    flows: dict[str, Flow] = {}


class Known(msgspec.Struct, frozen=True, kw_only=True):
    """The facts: operations, schemes and addresses, told by a document or seen in traffic.

    `security` are the alternatives that hold for all operations that do not say otherwise; None where nothing is said.
    `seen` says that requests were really answered so, and the document is not merely someone's intention.
    """

    title: str = ""
    description: str = ""
    base_url: str | None = None
    operations: tuple[Operation, ...] = ()
    schemes: tuple[Scheme, ...] = ()
    security: tuple[tuple[str, ...], ...] | None = None
    documents: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    source: str = ""
    seen: bool = False
