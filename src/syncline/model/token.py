"""A credential that runs out."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import msgspec

from syncline.model.text import Secret


class Token(msgspec.Struct, frozen=True, kw_only=True):
    """What an authorisation server, a log-in or a signer gave us.

    `expires_at` is on the monotonic clock of the process that obtained the token, in seconds (clocks of two machines differ);
    None means that nobody said when it ends. `obtained_at` is wall time, for people.
    """

    access: Secret
    refresh: Secret | None = None
    expires_at: float | None = None
    obtained_at: datetime | None = None
    scheme: str = "Bearer"
    extra: dict[str, Any] = {}

    def fresh(self, now: float, early: float) -> bool:
        """Whether the token will still hold `early` seconds after `now` (monotonic seconds)."""
        return self.expires_at is None or self.expires_at - early > now
