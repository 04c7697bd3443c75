"""The many ways in which APIs spell their limits before there was a standard, read into one."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import datetime

from syncline.model import MISSING, Headers, Rate, Response, compile_path
from syncline.resilience.headers import Told, number, seconds_until, structured
from syncline.resilience.limits import Cost

PERIODS = {"Second": 1.0, "Minute": 60.0, "Hour": 3600.0, "Day": 86_400.0}
SHOPIFY_REFILL = 20.0
"""Seconds in which Shopify's REST buckets are refilled whole: 40 at 2/s, 80 at 4/s, 400 at 20/s."""


def read_limits(response: Response, now: datetime) -> list[Told]:
    """Every limit that the answer's headers tell; nothing where they cannot be read. The standard's fields come first."""
    headers = response.headers
    if "limit" not in " ".join(headers).lower():
        return []
    if "RateLimit" in headers or "RateLimit-Policy" in headers:
        return structured(headers)
    clock = (response.date or now).timestamp()
    return [told for spelling in SPELLINGS for told in spelling(headers, clock)]


def read_cost(cost: Cost, document: object, now: datetime) -> tuple[float | None, list[Told]]:
    """What the request cost and what is left, where the answer's document says it."""
    available, restore = _number_at(cost.available, document), _number_at(cost.restore_rate, document)
    reset = None
    if cost.resets_at and (found := compile_path(cost.resets_at)(document)) is not MISSING:
        reset = seconds_until(str(found), now.timestamp())
    told = []
    if available is not None and (restore or reset is not None):
        told.append(
            Told(
                name="cost",
                source="the answer",
                limit=_number_at(cost.capacity, document),
                remaining=available,
                restore=restore or None,
                reset=reset,
            )
        )
    return _number_at(cost.path, document), told


def read_need(cost: Cost, document: object) -> float | None:
    """How much has to be left for the request's like to be let in, where the answer's document says it."""
    return _number_at(cost.requested or cost.path, document)


def _number_at(path: str | None, document: object) -> float | None:
    value = compile_path(path)(document) if path else MISSING
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) and value >= 0 else None


def _plain(headers: Headers, clock: float) -> Iterator[Told]:
    """`RateLimit-Limit`, `-Remaining`, `-Reset` and their many prefixes; `X-Rate-Limit: 700` (Zendesk); windows as `;w=60`."""
    for prefix in ("RateLimit-", "X-RateLimit-", "X-Rate-Limit-"):
        if f"{prefix}Remaining" not in headers and f"{prefix}Limit" not in headers:
            continue
        limit_text = headers.get(f"{prefix}Limit") or headers.get(prefix[:-1]) or ""
        window = re.search(r";\s*(?:w|window)=(\d{1,9})", limit_text)
        seconds = float(window[1]) if window and float(window[1]) else number(headers.get(f"{prefix}Interval-Seconds"))
        refill = number(headers.get(f"{prefix}FillRate"))  # Atlassian
        reset = headers.get(f"{prefix}Reset") or headers.get(f"{prefix}ResetTime")
        if after := number(headers.get(f"{prefix}Reset-After")):  # Discord
            reset = f"{after}s"
        yield Told(
            name=prefix,
            source=f"{prefix}*",
            limit=number(limit_text),
            remaining=number(headers.get(f"{prefix}Remaining")),
            reset=seconds_until(reset, clock, seconds),
            window=None if refill else seconds or None,
            restore=refill / seconds if refill and seconds else None,
            resource=headers.get(f"{prefix}Resource") or headers.get(f"{prefix}Bucket") or "",  # GitHub, Discord
        )
        return


def _by_period(headers: Headers, clock: float) -> Iterator[Told]:
    """`X-RateLimit-Limit-Minute: 20` (Kong and others)."""
    for prefix in ("X-RateLimit-Limit-", "RateLimit-Limit-"):
        for period, seconds in PERIODS.items():
            if limit := number(headers.get(f"{prefix}{period}")):
                yield Told(name=f"{prefix}{period}", source=f"{prefix}{period}", limit=limit, window=seconds)


def _by_unit(headers: Headers, clock: float) -> Iterator[Told]:
    """`x-ratelimit-remaining-requests: 59`, `-reset-requests: 6m0s` (OpenAI); `anthropic-ratelimit-requests-remaining`."""
    for prefix, suffix in (("X-RateLimit-", "-Requests"), ("Anthropic-RateLimit-Requests-", "")):
        remaining = number(headers.get(f"{prefix}Remaining{suffix}"))
        if remaining is not None:
            yield Told(
                name=f"{prefix}*{suffix}",
                source=f"{prefix}*{suffix}",
                limit=number(headers.get(f"{prefix}Limit{suffix}")),
                remaining=remaining,
                reset=seconds_until(headers.get(f"{prefix}Reset{suffix}"), clock),
            )


def _shopify(headers: Headers, clock: float) -> Iterator[Told]:
    """`X-Shopify-Shop-Api-Call-Limit: 32/40`: used, and the bucket's size."""
    text = headers.get("X-Shopify-Shop-Api-Call-Limit") or headers.get("HTTP_X_SHOPIFY_SHOP_API_CALL_LIMIT") or ""
    if found := re.fullmatch(r"\s*(\d{1,9})\s*/\s*([1-9]\d{0,8})\s*", text):
        used, size = float(found[1]), float(found[2])
        left = max(size - used, 0.0)
        yield Told(name="shopify", source="X-Shopify-*", limit=size, remaining=left, restore=size / SHOPIFY_REFILL)


def _hubspot(headers: Headers, clock: float) -> Iterator[Told]:
    """`X-HubSpot-RateLimit-Max: 100` in `-Interval-Milliseconds: 10000`, and `-Daily`."""
    prefix = "X-HubSpot-RateLimit-"
    most, interval = number(headers.get(f"{prefix}Max")), number(headers.get(f"{prefix}Interval-Milliseconds"))
    if most and interval:
        yield Told(name="hubspot", source=f"{prefix}*", limit=most, window=interval / 1000)
    if daily := number(headers.get(f"{prefix}Daily")):
        yield Told(name="hubspot daily", source=f"{prefix}Daily", limit=daily, window=86_400.0)


def _zendesk(headers: Headers, clock: float) -> Iterator[Told]:
    """`Zendesk-RateLimit-search-index: total=100; remaining=99; resets=60`."""
    for name, text in headers.items():
        if name.lower().startswith("zendesk-ratelimit-"):
            fields = dict(re.findall(r"([a-z]+)=(\d{1,9})", text))
            yield Told(
                name=name.lower(),
                source=name,
                limit=number(fields.get("total")),
                remaining=number(fields.get("remaining")),
                reset=number(fields.get("resets")),
                resource=name.lower(),
            )


def _salesforce(headers: Headers, clock: float) -> Iterator[Told]:
    """`Sforce-Limit-Info: api-usage=18/5000`: used, and what a rolling day allows."""
    if found := re.search(r"api-usage=(\d{1,9})/([1-9]\d{0,8})", headers.get("Sforce-Limit-Info", "")):
        yield Told(name="salesforce", source="Sforce-Limit-Info", limit=float(found[2]), window=86_400.0)


def _amazon(headers: Headers, clock: float) -> Iterator[Told]:
    """`x-amzn-RateLimit-Limit: 0.0167`: requests a second, of this operation."""
    rate = number(headers.get("X-Amzn-RateLimit-Limit"))
    if rate:
        whole = Rate(round(rate), 1.0) if rate >= 1 else Rate(1, 1 / rate)
        yield Told(name="amazon", source="X-Amzn-RateLimit-Limit", limit=whole.amount, window=whole.per)


SPELLINGS: tuple[Callable[[Headers, float], Iterator[Told]], ...] = (
    _plain,
    _by_period,
    _by_unit,
    _shopify,
    _hubspot,
    _zendesk,
    _salesforce,
    _amazon,
)
