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
# compiled when an API first says so much: most answers say nothing
_ITEM = r'\s*(?:"([^"]*)"|([^;,\s"]+))\s*((?:;[^,]*)?)(?:,|$)'
_PARAMETER = r';\s*([a-z*][a-z0-9_.*-]*)\s*=\s*(?:"([^";,]*)"|:([A-Za-z0-9+/=]*):|([^";,:\s]+))'
_SPAN = r"(?:\d+(?:\.\d+)?(?:ms|[dhms]))+"
_SPAN_PIECE = r"(\d+(?:\.\d+)?)(ms|[dhms])"
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0}
_LIMITED_BODY = (
    rb"(?i)rate.?limit.{0,20}exceeded|exceeded.{0,60}(rate limit|quota)|too many requests|request_limit_exceeded"
)

QUOTA = 600.0
"""Seconds over which an allowance is counted that people call a quota; what comes back sooner is a rate."""


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """One limit as the API tells it: `limit` units in `window` seconds, `remaining` of them until `reset` seconds from now.

    `restore` is how many units come back every second, where they do. `resource` names the part of the API that it holds for.
    """

    name: str
    source: str
    limit: float | None = None
    remaining: float | None = None
    reset: float | None = None
    window: float | None = None
    restore: float | None = None
    resource: str = ""

    @property
    def share(self) -> float | None:
        """What is left of a quota, as a share of it; None for what is counted over less than ten minutes, and soon comes back."""
        if not self.limit or self.remaining is None or max(self.reset or 0.0, self.window or 0.0) < QUOTA:
            return None
        return self.remaining / self.limit


def retry_after(response: Response, now: datetime) -> float | None:
    """Seconds that the server asks to wait, from the answer's arrival (RFC 9110, 10.2.3), or None.

    A date is compared with the server's own Date, so that a wrong clock on either side does not matter. Azure and OpenAI write
    milliseconds as well, as `Retry-After-Ms`; Discord a fraction, as `X-RateLimit-Reset-After`. The longest of them is told.
    """
    headers = response.headers
    told = []
    text = headers.get("Retry-After", "").strip()
    if re.fullmatch(r"\d+(\.\d+)?", text):
        told.append(float(text[:20]))
    elif text:
        try:
            moment = parsedate_to_datetime(text)
        except ValueError:
            pass
        else:
            moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment
            told.append(max((moment - (response.date or now)).total_seconds(), 0.0))
    for name in ("Retry-After-Ms", "X-Ms-Retry-After-Ms"):
        if (milliseconds := number(headers.get(name))) is not None:
            told.append(milliseconds / 1000)
    if response.status == 429 and (seconds := number(headers.get("X-RateLimit-Reset-After"))) is not None:
        told.append(seconds)
    return min(max(told), LONGEST) if told else None


def rate_limited(response: Response) -> bool:
    """Whether the answer is a refusal for coming too often: 429 (RFC 6585), or as some APIs spell it.

    403 with an exhausted quota or a Retry-After (GitHub), 403 that says so in its body (GitHub's secondary limits, Google,
    Salesforce), 400 with Amazon's name for it.
    """
    headers = response.headers
    if response.status == 429:
        return True
    if response.status == 400:
        return "throttling" in headers.get("X-Amzn-ErrorType", "").lower()
    if response.status != 403:
        return False
    if "Retry-After" in headers or headers.get("X-RateLimit-Remaining", "").strip() == "0":
        return True
    return re.search(_LIMITED_BODY, response.body[:2000]) is not None


def seconds_until(text: str | None, now: float, window: float | None = None) -> float | None:
    """Seconds until the moment that a header tells, in whichever way it tells it; None where it cannot be read.

    Seconds, or milliseconds where seconds would exceed the window; an epoch in seconds or milliseconds, by its magnitude; an
    HTTP or ISO date; a span such as `6m0s`. `now` is the server's clock as an epoch.
    """
    text = (text or "").strip()
    if re.fullmatch(_SPAN, text):
        return min(sum(float(size) * _SECONDS[unit] for size, unit in re.findall(_SPAN_PIECE, text)), LONGEST)
    if re.fullmatch(r"\d{1,18}(\.\d{1,9})?(\s*[;,].*)?", text):
        value = number(text) or 0.0
        if value >= EPOCH_MILLISECONDS:
            value /= 1000
        if value >= EPOCH_SECONDS:
            value = max(value - now, 0.0)
        elif window and value > window * 1.5 and value / 1000 <= window * 1.5:
            value /= 1000
        return min(value, LONGEST)
    for read in (datetime.fromisoformat, parsedate_to_datetime):
        try:
            moment = read(text)
        except ValueError:
            continue
        moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment
        return min(max(moment.timestamp() - now, 0.0), LONGEST)
    return None


def structured(headers: Headers) -> list[Told]:
    """draft-ietf-httpapi-ratelimit-headers: `RateLimit: "default";r=50;t=30`, `RateLimit-Policy: "default";q=100;w=60`.

    Several policies, and partition keys (`pk`): a limit with one holds for what its answers came from. Units other than
    requests (`qu`) are left out. Drafts 03 to 07 wrote `limit=100, remaining=50, reset=30`.
    """
    current = headers.get("RateLimit", "")
    policies = dict(_items(headers.get("RateLimit-Policy", "")))
    if "remaining=" in current:
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
    return Told(
        name=name,
        source="RateLimit",
        limit=number(policy.get("q") or state.get("q")) or number(name),
        remaining=number(state.get("r")),
        reset=number(state.get("t")),
        window=number(policy.get("w")) or None,
        resource=state.get("pk") or policy.get("pk") or "",
    )


def _items(text: str) -> list[tuple[str, dict[str, str]]]:
    """The items of a structured list (RFC 9651, 3.1) with their parameters."""
    return [
        (quoted or bare, {name: text or binary or token for name, text, binary, token in re.findall(_PARAMETER, rest)})
        for quoted, bare, rest in re.findall(_ITEM, text[:2000])
    ]


def number(text: str | None) -> float | None:
    match = _NUMBER.match(text) if text else None
    return float(match[1]) if match else None
