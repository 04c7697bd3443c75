"""A token between two processes: what is remembered of it, as bytes and back."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from syncline.model import Secret, Token

SOON = timedelta(days=7)


class Kept(msgspec.Struct, frozen=True, kw_only=True):
    """What a store holds of one token.

    `previous` is the refresh token before the last rotation, for servers that lost the rotation. `asked_at` is set while a token
    request is under way: one that is found set belongs to a process that died, or to an answer that never came. `revision`
    counts what was saved and is 0 where nothing was.
    """

    token: Token | None = None
    previous: Secret | None = None
    asked_at: datetime | None = None
    revision: int = 0


class OvertakenError(Exception):
    """Somebody else saved a later revision; what was to be saved is not in the store."""


class _Record(msgspec.Struct, kw_only=True, omit_defaults=True):
    """A kept token in plain JSON, on its way to be sealed. Moments are wall time, seconds since 1970."""

    fingerprint: str
    access: str | None = None
    refresh: str | None = None
    previous: str | None = None
    scheme: str = "Bearer"
    extra: dict[str, Any] = {}
    expires_at: float | None = None
    lifetime: float | None = None
    obtained_at: float | None = None
    asked_at: float | None = None


def encode(kept: Kept, fingerprint: str, now: datetime, monotonic: float) -> bytes:
    """The bytes to seal; the token's end is moved from this process's monotonic clock to the wall clock `now` (R11)."""
    token = kept.token
    record = _Record(fingerprint=fingerprint, previous=_shown(kept.previous), asked_at=_seconds(kept.asked_at))
    if token is not None:
        left = None if token.expires_at is None else token.expires_at - monotonic
        record.access, record.refresh, record.scheme = token.access.reveal(), _shown(token.refresh), token.scheme
        record.extra, record.obtained_at = token.extra, _seconds(token.obtained_at)
        record.expires_at = None if left is None else now.timestamp() + left
        record.lifetime = left if left is None else max(left, _lifetime(token.extra) or 0.0)
    return msgspec.json.encode(record)


def decode(content: bytes, fingerprint: str, now: datetime, monotonic: float, revision: int) -> Kept:
    """The token of these bytes, its end on this process's monotonic clock.

    A wall clock that was set back since cannot stretch a token beyond the lifetime it was given. What was obtained with other
    credentials than the file has now (`fingerprint`) is not there.
    """
    record = msgspec.json.decode(content, type=_Record)
    if record.fingerprint != fingerprint:
        return Kept(revision=revision)
    token = None
    if record.access is not None:
        left = None if record.expires_at is None else record.expires_at - now.timestamp()
        if left is not None and record.lifetime is not None:
            left = min(left, record.lifetime)
        token = Token(
            access=Secret(record.access),
            refresh=_secret(record.refresh),
            expires_at=None if left is None else monotonic + left,
            obtained_at=_moment(record.obtained_at),
            scheme=record.scheme,
            extra=record.extra,
        )
    return Kept(token=token, previous=_secret(record.previous), asked_at=_moment(record.asked_at), revision=revision)


def ends(token: Token, now: datetime, monotonic: float) -> tuple[datetime | None, datetime | None]:
    """When the access token and the refresh token run out, on the wall clock, where that is known."""
    access = None if token.expires_at is None else now + timedelta(seconds=token.expires_at - monotonic)
    refresh = _number(token.extra.get("refresh_expires_at")) if token.refresh is not None else None
    return access, _moment(refresh)


def runs_out(token: Token, now: datetime, monotonic: float) -> datetime | None:
    """When a person will be needed, where that is known and near: within seven days, or the last quarter of a shorter life."""
    access, refresh = ends(token, now, monotonic)
    end = access if token.refresh is None else refresh
    if end is None or token.obtained_at is None:
        return None
    return end if end - now < min(SOON, (end - token.obtained_at) / 4) else None


def _lifetime(extra: dict[str, Any]) -> float | None:
    return _number(extra.get("expires_in"))


def _number(value: Any) -> float | None:
    try:
        return float(value) if value is not None and float(value) > 0 else None
    except (TypeError, ValueError):
        return None


def _shown(secret: Secret | None) -> str | None:
    return None if secret is None else secret.reveal()


def _secret(text: str | None) -> Secret | None:
    return None if text is None else Secret(text)


def _seconds(moment: datetime | None) -> float | None:
    return None if moment is None else moment.timestamp()


def _moment(seconds: float | None) -> datetime | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC)
