"""Conditional requests: has this page changed since it was delivered? (RFC 9110, 13; RFC 9111, 4.3)

Bodies are not kept. What is kept with the checkpoint of a complete pass is, for each page, its validators, how many records it
had and which page followed: enough to walk past a page that answers 304 as if it had been read.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import Any

import msgspec

from syncline.model import Request, Response, Secret, encode_json

NOTE = "validators"
"""The key of `Checkpoint.extra` under which they are kept."""
MOST_PAGES = 100
LONGEST = 512
SALT = "1"
"""Changes when what is kept changes its meaning."""


class Known(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A page as it was: `following` is the position after it, None at the end of its slice."""

    etag: str | None = None
    modified: str | None = None
    records: int = 0
    following: dict[str, Any] | None = None

    @property
    def headers(self) -> dict[str, str]:
        """What makes a request conditional (RFC 9110, 13.1.2, 13.1.3)."""
        if self.etag is not None:
            return {"If-None-Match": self.etag}
        return {"If-Modified-Since": self.modified} if self.modified is not None else {}


class PageMemory:
    """The pages of the last complete pass, and those of this one.

    `stream` is all that decides what becomes of a record: where anything of it changed, nothing is known any more.
    """

    def __init__(self, stream: Any, kept: Any) -> None:
        self._stream = _digest([SALT, stream])
        self._known: dict[str, Known] = {}
        self._new: dict[str, Known] = {}
        if isinstance(kept, Mapping) and kept.get("of") == self._stream:
            self._known = msgspec.convert(kept["pages"], dict[str, Known])

    def known(self, request: Request) -> Known | None:
        """What was seen at this request, once in a pass: a page that comes round again is asked for afresh."""
        if request.method != "GET":
            return None
        return self._known.pop(_name(request), None)

    def unchanged(self, request: Request, known: Known) -> None:
        """The page is still as it was."""
        self._new[_name(request)] = known

    def read(self, request: Request, response: Response, records: int, following: dict[str, Any] | None) -> None:
        """Remember a page that came, if it has validators that can be relied upon."""
        etag, modified = response.headers.get("ETag"), response.headers.get("Last-Modified")
        if request.method != "GET" or len(self._new) >= MOST_PAGES or "no-store" in _control(response):
            return
        if etag is None and not _older(response):
            modified = None  # a page that changed within the second of its date may change again within it
        if (etag or modified) and len(etag or "") <= LONGEST:
            self._new[_name(request)] = Known(
                etag=etag, modified=None if etag else modified, records=records, following=following
            )

    def to_data(self) -> dict[str, Any] | None:
        """What to keep with the checkpoint at the end of the pass."""
        return {"of": self._stream, "pages": msgspec.to_builtins(self._new)} if self._new else None


def _name(request: Request) -> str:
    """A request by what decides its answer, secrets apart: their values must not be found out from what is kept."""
    params = [pair for pair in request.params if not isinstance(pair[1], Secret)]
    headers = {name.lower(): value for name, value in request.headers.items() if not isinstance(value, Secret)}
    return _digest([request.url, params, headers])


def _digest(value: Any) -> str:
    return hashlib.blake2b(encode_json(value), digest_size=12).hexdigest()


def _control(response: Response) -> str:
    return ",".join(response.headers.getall("Cache-Control", [])).lower()


def _older(response: Response) -> bool:
    """Whether Last-Modified lies so far before Date that it is a strong validator (RFC 9110, 8.8.2.2)."""
    date = response.date
    try:
        modified = parsedate_to_datetime(response.headers.get("Last-Modified", ""))
    except ValueError:
        return False
    return date is not None and (date - modified.astimezone(UTC)).total_seconds() >= 60
