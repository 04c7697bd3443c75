"""How often requests may be sent, as documents say it in words."""

from __future__ import annotations

import re

from syncline.generate.inference.guess import Guess, unknown
from syncline.resilience import Limits

_UNITS = {
    "second": "s",
    "sec": "s",
    "s": "s",
    "minute": "min",
    "min": "min",
    "hour": "h",
    "hr": "h",
    "h": "h",
    "day": "d",
}
_UNIT = r"(second|sec|minute|min|hour|hr|day|s|h)\b"
_RATE = re.compile(
    rf"(\d[\d,. ]{{0,9}})\s*(?:api |http |rest |total |authenticated )*(?:requests?|calls?|queries|hits|transactions|req)\b"
    rf"[^.\n\d]{{0,40}}?(?:per|/|a|an|every|each|in (?:a|one|any))\s*(?:1 )?{_UNIT}",
    re.I,
)
_WINDOWS = {"s": "s", "min": "min", "h": "h", "d": "d"}


def find_rate(*texts: str, headers: tuple[str, ...] = (), refuses: bool = False) -> Guess[Limits]:
    """The strictest windows that the texts tell of, one of each length.

    `headers` are names of headers that tell the limit; `refuses` says that 429 is among the documented answers.
    """
    found: dict[str, tuple[int, str]] = {}
    for text in texts:
        for match in _RATE.finditer(text[:50_000]):
            number = int(re.sub(r"[^0-9]", "", match[1].split(".")[0]) or 0)
            unit = _UNITS[match[2].lower()]
            if 0 < number < 10_000_000 and (unit not in found or number < found[unit][0]):
                found[unit] = (number, " ".join(match[0].split()))
    if found:
        limits = [f"{number}/{_WINDOWS[unit]}" for unit, (number, _) in found.items()]
        said = tuple(f"the document says “{text[:100]}”" for _, text in found.values())
        return Guess(Limits.model_validate({"limits": limits}), 0.75, said)
    if headers:
        return unknown(f"answers tell it in {', '.join(headers)}, which are obeyed; how much it is stands there")
    if refuses:
        return unknown("429 is among the answers, but no number is told; Retry-After is obeyed")
    return unknown("nothing is said of a limit")
