"""GraphQL over HTTP: answers that report their errors with status 200 (GraphQL specification, 7.1)."""

from __future__ import annotations

from typing import Any

import msgspec

from syncline.errors import RateLimitedError
from syncline.http.bodies import decode_json_body
from syncline.model import Response

THROTTLED = {"THROTTLED", "RATE_LIMITED", "RATELIMITED", "TOO_MANY_REQUESTS"}
LONGEST = 300


class Complaint(msgspec.Struct, frozen=True):
    """The first of an answer's errors; `code` is that of its extensions, empty where there is none."""

    code: str
    message: str
    count: int

    def __str__(self) -> str:
        return f"{self.code}: {self.message}" if self.code else self.message


def decode_graphql_body(response: Response) -> Any:
    """The document of an answer. For use as `Request.decode`. Raises RateLimitedError where the API throttles."""
    document = decode_json_body(response)
    complaint = complaint_of(document)
    if complaint is not None and complaint.code.upper() in THROTTLED:
        raise RateLimitedError("the GraphQL API is throttling", status=429, evidence=complaint.message)
    return document


def complaint_of(document: Any) -> Complaint | None:
    errors = document.get("errors") if isinstance(document, dict) else None
    if not errors:
        return None
    several = isinstance(errors, list)
    first = errors[0] if several and isinstance(errors[0], dict) else {"message": str(errors)}
    extensions = first.get("extensions")
    code = extensions.get("code") if isinstance(extensions, dict) else None
    message = str(first.get("message", ""))[:LONGEST]
    return Complaint("" if code is None else str(code), message, len(errors) if several else 1)
