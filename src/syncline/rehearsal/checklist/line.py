"""What the checklist says, as values."""

from __future__ import annotations

from typing import Literal

import msgspec

Status = Literal["held", "failed", "not applicable", "not tried"]

LINES: dict[str, str] = {
    "tokens": "token refresh handled",
    "limits": "limits respected",
    "retries": "retry with backoff on 429 and 5xx",
    "pages": "all pages read",
    "required": "required fields validated before writing",
    "resume": "resumes after a kill at every station",
    "logs": "structured logs with correlation ids",
    "secrets": "secrets only by reference",
    "alerts": "alerts configured",
    "volume": "tested at production volume",
}
"""Every line of the production checklist, in its order: the word that asks for it, and what it says."""

LIVE: dict[str, str] = {
    "credentials": "the credentials are accepted",
    "scopes": "the rights are enough for every stream",
    "pagination": "the first two pages follow as the file says",
    "records": "records stand where the file says",
    "key": "the primary key is unique",
    "cursor": "the cursor field is there and in order",
    "announced": "the limits that the API announces are kept",
    "clock": "both clocks agree",
}
"""The lines that only the real API can show."""


class Line(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One line: whether it holds, the numbers that show it, and the command that shows it again.

    `fix` says what to do where it failed.
    """

    name: str
    what: str
    status: Status
    evidence: tuple[str, ...] = ()
    again: str = ""
    fix: str | None = None

    @property
    def holds(self) -> bool:
        """A line that has nothing to hold an integration to holds; one that was not tried does not."""
        return self.status in ("held", "not applicable")


def held(name: str, *evidence: str) -> Line:
    return _line(name, "held", evidence)


def failed(name: str, *evidence: str, fix: str | None = None) -> Line:
    return _line(name, "failed", evidence, fix)


def not_applicable(name: str, *evidence: str) -> Line:
    """Why there is nothing to hold the integration to, first."""
    return _line(name, "not applicable", evidence)


def not_tried(name: str, reason: str, fix: str | None = None) -> Line:
    return _line(name, "not tried", (reason,), fix)


def _line(name: str, status: Status, evidence: tuple[str, ...], fix: str | None = None) -> Line:
    what = LINES.get(name) or LIVE[name]
    return Line(name=name, what=what, status=status, evidence=tuple(one for one in evidence if one), fix=fix)
