"""Numbers, times and statuses as people read them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from syncline.model.units import span
from syncline.operate.pages.html import Html, tag

MARKS = {
    "done": "✓", "partial": "◐", "failed": "✗", "deferred": "◷", "interrupted": "■", "held": "⊘", "skipped": "–",
    "running": "▶", "paused": "❙❙", "broken": "✗", "stale": "◔", "waiting": "·",
}  # fmt: skip
TONES = {
    "done": "good", "running": "busy", "failed": "bad", "broken": "bad", "stale": "warn", "partial": "warn",
    "deferred": "warn", "interrupted": "quiet", "held": "quiet", "paused": "quiet", "waiting": "quiet", "skipped": "quiet",
}  # fmt: skip


def badge(status: str, label: str | None = None) -> Html:
    """A status by sign, word and colour: none of them alone."""
    tone = TONES.get(status, "quiet")
    sign = tag("span", MARKS.get(status, "·"), aria_hidden="true")
    return tag("span", sign, " ", label or status, class_=f"badge {tone}")


def count(number: int) -> str:
    """`1,234`, and `1.2 M` where more digits would say nothing."""
    for size, unit in ((1_000_000_000, "G"), (1_000_000, "M"), (100_000, "k")):
        if number >= size:
            scale = 1_000 if unit == "k" else size
            return f"{number / scale:,.1f} {unit}".replace(".0 ", " ")
    return f"{number:,}"


def size(number: int) -> str:
    for least, unit in ((1e9, "GB"), (1e6, "MB"), (1e3, "kB")):
        if number >= least:
            return f"{number / least:.1f} {unit}"
    return f"{number} B"


def ago(moment: datetime, now: datetime) -> str:
    seconds = (now - moment).total_seconds()
    return f"{span(seconds)} ago" if seconds >= 0 else f"in {span(-seconds)}"


def when(moment: datetime | None, now: datetime | None = None) -> Html:
    """A moment as an element that names it exactly, and shows how long ago it was where `now` is given."""
    if moment is None:
        return tag("span", "–", class_="quiet")
    exact = f"{moment.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"
    return tag("time", exact if now is None else ago(moment, now), datetime=moment.isoformat(), title=exact)


def error_block(error: dict[str, Any]) -> Html:
    """An error as the command line shows it: what, where, what was seen, what to do."""
    where = " · ".join(f"{name} {value}" for name, value in error.get("where", {}).items())
    mistakes = [_mistake(one) for one in error.get("mistakes", ())]
    lines = [
        ("where", where),
        ("seen", error.get("evidence")),
        ("cause", error.get("cause")),
        ("fix", error.get("hint")),
    ]
    return tag(
        "div",
        tag("p", tag("b", f"{error.get('code', 'error')}: "), error.get("what", ""), class_="what"),
        [tag("p", mistake, class_="mistake") for mistake in mistakes[:5]],
        tag("dl", [(tag("dt", name), tag("dd", text)) for name, text in lines if text]),
        class_="error",
    )


def _mistake(one: dict[str, Any]) -> str:
    place = f"line {one['line']}: " if one.get("line") else ""
    return f"{place}{one['path']}: {one['what']}" if one.get("path") else f"{place}{one.get('what', '')}"
