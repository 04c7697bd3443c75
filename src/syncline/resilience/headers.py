"""What an API says about its limits, in the headers of its answers."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import msgspec

from syncline.model import Headers, Response

LONGEST = 10 * 365 * 86_400.0
"""No wait is believed to be longer, in seconds."""

EPOCH_SECONDS = 100_000_000
EPOCH_MILLISECONDS = 100_000_000_000
_NUMBER = re.compile(r"\s*(\d{1,18}(?:\.\d{1,9})?)")
_ITEM = re.compile(r'\s*(?:"([^"]*)"|([^;,\s"]+))\s*((?:;[^,]*)?)(?:,|$)')
_PARAMETER = re.compile(r';\s*([a-z*][a-z0-9_.*-]*)\s*=\s*"?([^";,]*)"?')


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """One limit as the API tells it: `limit` requests in `window` seconds, `remaining` of them until `reset` seconds from now."""

    name: str
    source: str
    limit: int | None = None
    remaining: int | None = None
    reset: float | None = None
    window: float | None = None


def retry_after(response: Response, now: datetime) -> float | None:
    """Seconds that the server asks to wait, from the answer's arrival (RFC 9110, 10.2.3), or None.

    A date is compared with the server's own Date, so that a wrong clock on either side does not matter.
    """
    text = response.headers.get("Retry-After")
    if text is None:
        return None
    text = text.strip()
    if re.fullmatch(r"\d+(\.\d+)?", text):
        return min(float(text[:20]), LONGEST)
    try:
        moment = parsedate_to_datetime(text)
    except ValueError:
        return None
    moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment
    return min(max((moment - (response.date or now)).total_seconds(), 0.0), LONGEST)


def rate_limited(response: Response) -> bool:
    """Whether the answer is a refusal for coming too often: 429 (RFC 6585), or 403 as some APIs spell it."""
    if response.status == 429:
        return True
    if response.status != 403:
        return False
    return "Retry-After" in response.headers or response.headers.get("X-RateLimit-Remaining", "").strip() == "0"


def read_limits(response: Response, now: datetime) -> list[Told]:
    """Every limit that the answer's headers tell; nothing where they cannot be read.

    Sources: draft-ietf-httpapi-ratelimit-headers (`RateLimit`, `RateLimit-Policy`), its earlier drafts (`RateLimit-Limit`,
    `-Remaining`, `-Reset`, a delta), and the `X-RateLimit-*` of common use (a delta or a moment, told apart by magnitude).
    """
    headers = response.headers
    if "RateLimit" in headers or "RateLimit-Policy" in headers:
        return _structured(headers)
    for prefix in ("RateLimit-", "X-RateLimit-", "X-Rate-Limit-"):
        if f"{prefix}Remaining" in headers or f"{prefix}Limit" in headers:
            return [_plain(prefix, headers, (response.date or now).timestamp())]
    return []


def _plain(prefix: str, headers: Headers, clock: float) -> Told:
    limit_text = headers.get(f"{prefix}Limit", "")
    window = re.search(r";\s*(?:w|window)=(\d{1,9})", limit_text)
    limit, remaining = _number(limit_text), _number(headers.get(f"{prefix}Remaining"))
    reset = _number(headers.get(f"{prefix}Reset"))
    if reset is not None:
        if reset >= EPOCH_MILLISECONDS:
            reset /= 1000
        if reset >= EPOCH_SECONDS:
            reset = max(reset - clock, 0.0)
    return Told(
        name=prefix,
        source=f"{prefix}*",
        limit=None if limit is None else int(limit),
        remaining=None if remaining is None else int(remaining),
        reset=reset,
        window=float(window[1]) if window and float(window[1]) > 0 else None,
    )


def _structured(headers: Headers) -> list[Told]:
    current = headers.get("RateLimit", "")
    policies = dict(_items(headers.get("RateLimit-Policy", "")))
    if "remaining=" in current:  # drafts 03 to 07: limit=100, remaining=50, reset=30
        fields = dict(re.findall(r"([a-z]+)=(\d{1,18})", current))
        fields = {"r": fields.get("remaining", ""), "t": fields.get("reset", ""), "q": fields.get("limit", "")}
        return [_told("", fields, {}), *(_told(name, {}, policy) for name, policy in policies.items())]
    states = dict(_items(current))
    names = [*policies, *(name for name in states if name not in policies)]
    return [
        _told(name, states.get(name, {}), policies.get(name, {}))
        for name in names
        if policies.get(name, {}).get("qu", "requests") == "requests"
    ]


def _told(name: str, state: dict[str, str], policy: dict[str, str]) -> Told:
    limit = _number(policy.get("q") or state.get("q")) or _number(name)
    remaining, window = _number(state.get("r")), _number(policy.get("w"))
    return Told(
        name=name,
        source="RateLimit",
        limit=None if limit is None else int(limit),
        remaining=None if remaining is None else int(remaining),
        reset=_number(state.get("t")),
        window=window or None,
    )


def _items(text: str) -> list[tuple[str, dict[str, str]]]:
    """The items of a structured list (RFC 9651, 3.1) with their parameters."""
    return [(quoted or bare, dict(_PARAMETER.findall(rest))) for quoted, bare, rest in _ITEM.findall(text[:2000])]


def _number(text: str | None) -> float | None:
    match = _NUMBER.match(text) if text else None
    return float(match[1]) if match else None
