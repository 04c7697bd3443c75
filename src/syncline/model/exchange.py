"""A request and its response, as every room sees them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import lru_cache
from typing import Any
from urllib.parse import quote_plus, urlencode, urlsplit

import msgspec
from multidict import CIMultiDict, CIMultiDictProxy, istr

from syncline.model.exact_json import encode_json
from syncline.model.text import Secret, reveal

Headers = CIMultiDictProxy[str]

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS", "TRACE"})
IDEMPOTENT_METHODS = SAFE_METHODS | {"PUT", "DELETE"}
DEFAULT_PORTS = {"http": 80, "https": 443}
DATE = istr("Date")
REQUEST_IDS = tuple(map(istr, ("X-Request-Id", "Request-Id", "X-Correlation-Id", "X-Amzn-RequestId", "CF-Ray")))


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """One request to be sent. Values of headers and parameters may be secrets; they are revealed by the transport alone.

    `url` is absolute and keeps its own query; `params` come after it, in order, repeated names allowed.
    `json` is encoded when the request is sent, `form` as an HTML form, both may hold secrets; `body` is sent as it stands; at
    most one of them is set.
    `repeatable` says that sending it twice does no harm, whatever its method. `retry_on` are statuses worth another attempt
    besides the usual ones, `final_on` those that are an answer here and no failure of the API's. `decode` reads the answer's
    document within the attempt, so that a broken body is asked for again.
    `cost` is what it takes from the API's limits, in their units.
    """

    method: str = "GET"
    url: str
    params: tuple[tuple[str, str | Secret], ...] = ()
    headers: Mapping[str, str | Secret] = {}
    json: Any = None
    body: bytes | None = None
    form: tuple[tuple[str, str | Secret], ...] = ()
    repeatable: bool = False
    retry_on: frozenset[int] = frozenset()
    final_on: frozenset[int] = frozenset()
    decode: Callable[[Response], Any] | None = None
    attempt: int = 1
    cost: float = 1.0

    def with_params(self, params: Mapping[str, str | Secret]) -> Request:
        """The same request with these parameters set, each instead of an earlier one of its name."""
        kept = tuple([pair for pair in self.params if pair[0] not in params]) if self.params else ()
        return msgspec.structs.replace(self, params=(*kept, *params.items()))

    def with_headers(self, headers: Mapping[str, str | Secret]) -> Request:
        """The same request with these headers set; names are compared without case."""
        new = {name.lower() for name in headers}
        kept = {name: value for name, value in self.headers.items() if name.lower() not in new}
        return msgspec.structs.replace(self, headers={**kept, **headers})

    def with_json(self, json: Any) -> Request:
        return msgspec.structs.replace(self, json=json)

    @property
    def content(self) -> bytes | None:
        """The body's bytes as they will be sent."""
        if self.form:
            return urlencode([(name, reveal(value)) for name, value in self.form]).encode("ascii")
        if self.json is None:
            return self.body
        try:
            return encode_json(self.json)
        except TypeError:  # secrets are in it, which no encoder takes
            return encode_json(_in_clear(self.json))

    @property
    def target(self) -> str:
        """The full address, secrets included: to be sent and signed, never shown."""
        if not self.params:
            return self.url
        query = "&".join([f"{_quoted(name)}={_quoted(reveal(value))}" for name, value in self.params])
        return f"{self.url}{'&' if '?' in self.url else '?'}{query}"

    @property
    def origin(self) -> str:
        return origin_of(self.url)

    @property
    def shown(self) -> str:
        """Method and address without its query, for people and logs."""
        parts = urlsplit(self.url)
        return (
            f"{self.method} {parts.scheme}://{parts.hostname or ''}{f':{parts.port}' if parts.port else ''}{parts.path}"
        )

    @property
    def idempotent(self) -> bool:
        """Whether a repeat does no harm: by its method (RFC 9110, 9.2.2), by an idempotency key, or because the file says so."""
        return (
            self.repeatable
            or self.method in IDEMPOTENT_METHODS
            or any(name.lower() == "idempotency-key" for name in self.headers)
        )


class Response(msgspec.Struct, frozen=True, kw_only=True):
    """What came back, read to its end and decoded from its transfer and content encodings.

    `elapsed` in seconds; `received_at` on the monotonic clock. `document` is what the request's `decode` made of the body.
    """

    status: int
    headers: Headers
    body: bytes
    url: str
    document: Any = None
    elapsed: float = 0.0
    received_at: float = 0.0

    @property
    def date(self) -> datetime | None:
        """The server's clock, from its Date header (RFC 9110, 6.6.1)."""
        text = self.headers.get(DATE)
        return _moment(text) if text else None

    @property
    def request_id(self) -> str | None:
        """The server's own name for this exchange, where it gives one."""
        headers = self.headers
        for name in REQUEST_IDS:
            if value := headers.get(name):
                return value[:128]
        return None

    @staticmethod
    def headers_of(pairs: Mapping[str, str] | list[tuple[str, str]]) -> Headers:
        return CIMultiDictProxy(CIMultiDict(pairs))


def _quoted(text: str) -> str:
    """As `urlencode` writes a name or a value: most have nothing to be escaped, which costs a sixth to find out."""
    return text if text.isalnum() and text.isascii() else quote_plus(text)


@lru_cache(maxsize=16)  # the answers of a second have the same
def _moment(text: str) -> datetime | None:
    try:
        moment = parsedate_to_datetime(text)
    except ValueError:
        return None
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def _in_clear(value: Any) -> Any:
    if isinstance(value, Secret):
        return value.reveal()
    if isinstance(value, dict):
        return {key: _in_clear(inner) for key, inner in value.items()}
    return [_in_clear(inner) for inner in value] if isinstance(value, list | tuple) else value


@lru_cache(maxsize=256)  # asked several times for every request
def origin_of(url: str) -> str:
    """Scheme, host and port in one canonical text. Raises ValueError for an address without them."""
    parts = urlsplit(url)
    if parts.scheme not in DEFAULT_PORTS or not parts.hostname:
        raise ValueError(f"{url!r} is not an http or https address")
    return f"{parts.scheme}://{parts.hostname.lower()}:{parts.port or DEFAULT_PORTS[parts.scheme]}"
