"""One line of the doctor's."""

from __future__ import annotations

from typing import Literal

import msgspec

Level = Literal["ok", "skip", "warn", "bad"]

CHECKS = (
    "python", "libraries", "extras", "time zones", "proxies",
    "file", "references", "private files", "certificates", "dns", "tls", "clock", "tokens",
    "state folder", "disk", "sqlite", "leases", "rejects", "streams",
)  # fmt: skip
"""All there are, in their order: the machine's first, then those of each file."""


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """What a check found. `skip`: it could not be looked at; `warn`: it will break, or is unwise; `bad`: it is broken."""

    check: str
    level: Level
    said: str
    fix: str | None = None


def ok(check: str, said: str) -> Finding:
    return Finding(check=check, level="ok", said=said)


def skipped(check: str, said: str) -> Finding:
    return Finding(check=check, level="skip", said=said)


def warned(check: str, said: str, fix: str) -> Finding:
    return Finding(check=check, level="warn", said=said, fix=fix)


def broken(check: str, said: str, fix: str) -> Finding:
    return Finding(check=check, level="bad", said=said, fix=fix)
