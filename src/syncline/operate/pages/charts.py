"""Charts as SVG, drawn here: no script, no library, dark and light by the page's own colours."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from syncline.operate.pages.html import Html, tag
from syncline.operate.pages.words import count

HEIGHT = 108.0
LEFT, BOTTOM, TOP = 42.0, 18.0, 8.0


class Bar(msgspec.Struct, frozen=True):
    """One column: its parts from the bottom up, each with the class that colours it, and what is said of it."""

    parts: tuple[tuple[float, str], ...]
    title: str

    @property
    def total(self) -> float:
        return sum(amount for amount, _ in self.parts)


def runs_strip(bars: Sequence[Bar], tones: Sequence[str], *, width: int = 190, height: int = 34) -> Html:
    """The last runs, small: how much each did, and below it a mark in the colour of how it ended.

    All that has one colour is one path of upright strokes: a board of hundreds of integrations is to be painted at once.
    """
    most = max((bar.total for bar in bars), default=0.0) or 1.0
    room, step = height - 8, 6
    paths: dict[str, list[str]] = {}
    for place, (bar, tone) in enumerate(zip(bars, tones, strict=True)):
        x, y = width - step * (len(bars) - place) + step // 2, room
        for amount, colour in bar.parts:
            if amount > 0:
                tall = max(round(amount / most * room), 2)  # what is there at all can be seen
                paths.setdefault(colour, []).append(f"M{x} {y}v-{tall}")
                y -= tall
        paths.setdefault(tone, []).append(f"M{x} {height - 1}v-3")
    drawn = [tag("path", d="".join(strokes), class_=colour) for colour, strokes in paths.items()]
    label = f"the last {len(bars)} runs" + (f"; the last one {bars[-1].title}" if bars else "")
    return tag(
        "svg", tag("title", label), drawn, viewBox=f"0 0 {width} {height}", class_="runs", width=width, role="img"
    )


def meter(share: float, tone: str, title: str, *, width: float = 150.0) -> Html:
    """How much of something is used up."""
    filled = width * min(max(share, 0.0), 1.0)
    return tag(
        "svg",
        tag("title", title),
        tag("rect", x=0, y=0, width=_n(width), height=5, rx=2.5, class_="track"),
        tag("rect", x=0, y=0, width=_n(max(filled, 5.0)), height=5, rx=2.5, class_=f"fill {tone}") if filled else None,
        viewBox=f"0 0 {_n(width)} 5",
        width=_n(width),
        role="img",
        aria_label=title,
    )


def columns(bars: Sequence[Bar], labels: tuple[str, str], *, unit: str = "", width: float = 420.0) -> Html:
    """Columns over time with a scale; `labels` stand below the first and the last."""
    most = _ceiling(max((bar.total for bar in bars), default=0.0))
    room, floor = HEIGHT - BOTTOM - TOP, HEIGHT - BOTTOM
    step = (width - LEFT) / max(len(bars), 12)
    thick = min(step * 0.72, 16.0)
    drawn: list[Html] = []
    for share in (0.0, 0.5, 1.0):
        y = floor - room * share
        drawn.append(tag("line", x1=LEFT, x2=_n(width), y1=_n(y), y2=_n(y), class_="axis"))
        if share:
            text = f"{_scale(most * share)}{unit}"
            drawn.append(tag("text", text, x=_n(LEFT - 7), y=_n(y + 3.5), text_anchor="end"))
    start = width - step * len(bars)
    for place, bar in enumerate(bars):
        left = start + place * step
        drawn += _column(bar, left + (step - thick) / 2, thick, floor, room / most)
        drawn.append(_hit(bar.title, left, TOP, step, room))
    if bars:
        drawn.append(tag("text", labels[0], x=_n(max(start, LEFT)), y=HEIGHT - 3))
        if labels[0] != labels[1]:
            drawn.append(tag("text", labels[1], x=_n(width), y=HEIGHT - 3, text_anchor="end"))
    return tag("svg", drawn, viewBox=f"0 0 {_n(width)} {_n(HEIGHT)}", role="img", aria_label=f"{len(bars)} runs")


def key(colour: str, label: str) -> Html:
    """What a colour stands for."""
    square = tag("svg", tag("rect", width=9, height=9, rx=2, class_=colour), viewBox="0 0 9 9", aria_hidden="true")
    return tag("span", square, label, class_="key")


def _column(bar: Bar, left: float, thick: float, floor: float, scale: float) -> list[Html]:
    """The parts on each other, with a hair of space between them; what is there at all can be seen."""
    drawn, y = [], floor
    for amount, colour in bar.parts:
        if amount <= 0:
            continue
        tall = max(amount * scale, 1.6)
        drawn.append(
            tag(
                "rect",
                x=_n(left),
                y=_n(y - tall),
                width=_n(thick),
                height=_n(max(tall - 0.8, 1.2)),
                rx=1.2,
                class_=colour,
            )
        )
        y -= tall
    return drawn


def _hit(title: str, left: float, top: float, wide: float, tall: float) -> Html:
    """Where a pointer finds what a column says; as large as the column's whole place."""
    return tag("rect", tag("title", title), x=_n(left), y=_n(top), width=_n(wide), height=_n(tall), class_="hit")


def _ceiling(value: float) -> float:
    """The next round number: 1, 2 or 5 times a power of ten."""
    if value <= 0:
        return 1.0
    power = 1.0
    while power * 10 <= value:
        power *= 10
    while power > value:
        power /= 10
    return next(factor * power for factor in (1, 2, 5, 10) if factor * power >= value)


def _scale(value: float) -> str:
    return count(int(value)) if value >= 1 and value == int(value) else f"{value:g}"


def _n(value: float) -> str:
    return f"{value:.1f}".removesuffix(".0")
