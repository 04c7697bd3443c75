"""What went wrong, where, and what to do next.

SynclineError                  1
├── UsageError                 2   the command line
├── SpecError                  2   fix the file
├── PlanError                  1   fix the environment
├── RequestError               1   one request, all attempts included
│   ├── TransportError             nothing came back, or only half of it
│   │   └── CertificateError       the server's certificate is not to be trusted
│   ├── ServerError                5xx
│   ├── RateLimitedError           429 and its relatives
│   ├── ClientError                4xx
│   │   └── ForbiddenError         4   the credentials may not do this; other streams may well be read
│   ├── BodyError                  an answer that cannot be what was asked for
│   ├── CircuitOpenError           not sent: the circuit is open
│   ├── OriginError                not sent: it would have left the configured origin
│   ├── DeferredError          6   come back at `until`
│   └── AuthError              4   credentials
├── PaginationError            1   the API does not come to an end
├── PartialError               5   done, but not all of it
├── WriteError                 7   the destination
├── StateError                 7   the state store
└── LeaseError                75   another runner holds it
"""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from datetime import datetime
from typing import Any, ClassVar

import msgspec

MAX_LINES = 12
WIDTH = 110


class SynclineError(Exception):
    """Base of all errors: `what` happened, `where`, what was seen, what it probably means, and what to do.

    `hint` is something that can be done or run. `where` holds integration, stream, page, path, request, request_id.
    """

    code: ClassVar[str] = "error"
    exit_code: ClassVar[int] = 1
    retryable: ClassVar[bool] = False

    def __init__(
        self, what: str, *, hint: str | None = None, evidence: str | None = None, cause: str | None = None, **where: Any
    ) -> None:
        super().__init__(what)
        self.what = what
        self.hint = hint
        self.evidence = evidence
        self.cause = cause
        self.where: dict[str, Any] = {name: value for name, value in where.items() if value is not None}

    def at(self, **where: Any) -> SynclineError:
        """Add what the raiser could not know; what it did know stays."""
        self.where = {**{name: value for name, value in where.items() if value is not None}, **self.where}
        return self

    def block(self, width: int = WIDTH) -> str:
        """The error for people: at most twelve lines, plain text."""
        lines = _wrap(f"{self.code}: {self.what}", "", width, 4)
        place = " · ".join(f"{name} {value}" for name, value in self.where.items())
        for label, text, most in (
            ("where", place, 2),
            ("seen", self.evidence, 2),
            ("cause", self.cause, 2),
            ("fix", self.hint, 2),
        ):
            if text:
                lines += _wrap(text, f"  {label:<6}", width, most)
        return "\n".join(lines[:MAX_LINES])

    def to_data(self) -> dict[str, Any]:
        """The error for programs."""
        fields = {"cause": self.cause, "evidence": self.evidence, "hint": self.hint}
        return {"code": self.code, "what": self.what, "where": self.where, **{k: v for k, v in fields.items() if v}}


def _wrap(text: str, label: str, width: int, most: int) -> list[str]:
    pad = " " * len(label)
    lines = textwrap.wrap(
        text.replace("\n", " ⏎ "), width, initial_indent=label, subsequent_indent=pad, break_long_words=True
    )
    if len(lines) > most:
        lines = [
            *lines[: most - 1],
            textwrap.shorten(" ".join(line.strip() for line in lines[most - 1 :]), width - len(pad), placeholder=" …"),
        ]
        lines[-1] = pad + lines[-1]
    return lines


class UsageError(SynclineError):
    code = "usage"
    exit_code = 2


class Mistake(msgspec.Struct, frozen=True):
    """One thing wrong with a file. Lines and columns count from 1."""

    file: str
    line: int
    column: int
    path: str
    what: str

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}:{self.column}" if self.line else self.file
        return f"{place}: {self.path}: {self.what}" if self.path else f"{place}: {self.what}"


class SpecError(SynclineError):
    """The integration file is wrong; `mistakes` are all of them, in the order of the file."""

    code = "spec"
    exit_code = 2

    def __init__(self, what: str, *, mistakes: Sequence[Mistake] = (), hint: str | None = None, **where: Any) -> None:
        super().__init__(what, hint=hint, **where)
        self.mistakes = tuple(mistakes)

    def block(self, width: int = WIDTH) -> str:
        if not self.mistakes:
            return super().block(width)
        lines = [f"{self.code}: {self.what}"]
        lines += [
            textwrap.shorten(f"  {mistake}", width * 2, placeholder=" …") for mistake in self.mistakes[: MAX_LINES - 2]
        ]
        rest = len(self.mistakes) - (MAX_LINES - 2)
        if rest > 0:
            lines.append(f"  … and {rest} more; --json lists all of them")
        return "\n".join(lines)

    def to_data(self) -> dict[str, Any]:
        return {**super().to_data(), "mistakes": [msgspec.structs.asdict(mistake) for mistake in self.mistakes]}


class PlanError(SynclineError):
    code = "plan"


class RequestError(SynclineError):
    """A request that did not succeed; `status` where an answer came."""

    code = "request"

    def __init__(self, what: str, *, status: int | None = None, retry_after: float | None = None, **rest: Any) -> None:
        super().__init__(what, **rest)
        self.status = status
        self.retry_after = retry_after
        """Seconds from the answer's arrival that the server asked to wait."""


class TransportError(RequestError):
    """`sent` is False only where the request surely never reached the server."""

    code = "transport"
    retryable = True

    def __init__(self, what: str, *, sent: bool = True, **rest: Any) -> None:
        super().__init__(what, **rest)
        self.sent = sent


class CertificateError(TransportError):
    """Whoever answered could not prove to be the server: nothing was sent, and asking again would not help."""

    code = "certificate"
    retryable = False


class ServerError(RequestError):
    code = "server"
    retryable = True


class RateLimitedError(RequestError):
    code = "rate_limited"
    retryable = True


class ClientError(RequestError):
    code = "client"


class ForbiddenError(ClientError):
    """403: the credentials are known, and may not do this."""

    code = "forbidden"
    exit_code = 4


class BodyError(RequestError):
    """An answer of the right status that cannot be what was asked for: HTML, half a document, a missing record path."""

    code = "body"


class BrokenBodyError(BodyError):
    """The answer broke on its way (cut off, bad chunks, bad gzip, half a JSON document): asking again may help."""

    code = "broken_body"
    retryable = True


class CircuitOpenError(RequestError):
    code = "circuit_open"


class OriginError(RequestError):
    code = "origin"


class DeferredError(RequestError):
    """The API asked for a longer wait than the file allows; `until` is when to come back."""

    code = "deferred"
    exit_code = 6

    def __init__(self, what: str, *, until: datetime, **rest: Any) -> None:
        super().__init__(what, **rest)
        self.until = until

    def to_data(self) -> dict[str, Any]:
        return {**super().to_data(), "until": self.until.isoformat()}


class AuthError(RequestError):
    code = "auth"
    exit_code = 4


class PaginationError(SynclineError):
    code = "pagination"


class PartialError(SynclineError):
    code = "partial"
    exit_code = 5


class WriteError(SynclineError):
    code = "write"
    exit_code = 7


class StateError(SynclineError):
    code = "state"
    exit_code = 7


class LeaseError(SynclineError):
    code = "lease"
    exit_code = 75
