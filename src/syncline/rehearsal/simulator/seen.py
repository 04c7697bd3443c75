"""What the API saw: requests as they arrived, and faults with what became of each."""

from __future__ import annotations

from typing import Literal

import msgspec

Kind = Literal["page", "token", "write", "other"]


class Seen(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One request as the API saw it. `at` is in seconds since the act began, on the act's clock; `status` 0: no answer was sent."""

    number: int
    at: float
    kind: Kind
    method: str
    path: str
    status: int
    stream: str = ""
    records: int = 0
    fault: str | None = None
    delay: float = 0.0


class Touched(msgspec.Struct, kw_only=True, omit_defaults=True):
    """A record that a fault added, changed or deleted, in the version that came of it; `became` is empty until somebody knows."""

    stream: str
    number: int
    version: int
    how: str = ""
    """What is wrong with it."""
    became: str = ""


class Struck(msgspec.Struct, kw_only=True, omit_defaults=True):
    """A fault that struck, and what became of it: `became` is a sentence, `asked_again` the number of the request that followed."""

    fault: str
    line: str
    at: float
    request: int
    status: int
    asked_again: int | None = None
    after: float | None = None
    """Seconds until then."""
    became: str = "nothing was asked again"
    records: list[Touched] = []
    """What happened to records, where that is what the fault does."""
