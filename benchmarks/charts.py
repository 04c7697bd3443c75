"""Horizontal bars as SVG, readable on light and dark pages, without anything from elsewhere."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

WIDTH, LEFT, ROOM = 720, 144, 76
ROW, HEAD, TOP, BAR = 26, 30, 62, 16
STYLE = """
text { font: 13px ui-sans-serif, system-ui, sans-serif; fill: #3b4249 }
.title { font-size: 16px; font-weight: 650; fill: #16191d } .sub { font-size: 12px; fill: #6a737d }
.group { font-weight: 650; fill: #16191d } .value { font-variant-numeric: tabular-nums; fill: #6a737d }
.strong { font-weight: 650; fill: #0b7a75 }
.ours { fill: #0b7a75 } .limit { fill: #aab2ba } .peer { fill: #e0b44c } .before { fill: #bcdcd9 }
.line { stroke: #d8dde2 } .aim { stroke: #c2453c; stroke-dasharray: 3 3 }
.spread { stroke: #16191d; stroke-opacity: .4; stroke-width: 1.5; fill: none }
.page { fill: #ffffff }
@media (prefers-color-scheme: dark) {
text { fill: #c3cad1 } .title, .group { fill: #f0f3f6 } .sub, .value { fill: #8b949e } .strong { fill: #4cc9c0 }
.ours { fill: #2aa79e } .limit { fill: #59636e } .peer { fill: #b98a2c } .before { fill: #245c59 }
.line { stroke: #30363d } .aim { stroke: #f0776c } .spread { stroke: #f0f3f6 } .page { fill: #0d1117 } }
"""


@dataclass(frozen=True)
class Bar:
    """`kind` decides the colour: ours, limit, peer or before. `least` and `most` are the spread; `aim` is a mark."""

    name: str
    value: float
    label: str
    kind: str = "ours"
    least: float | None = None
    most: float | None = None
    aim: float | None = None


Groups = Sequence[tuple[str, Sequence[Bar]]]


def chart(title: str, subtitle: str, groups: Groups) -> str:
    """Bars in groups, all on one scale that begins at zero."""
    every = [bar for _, bars in groups for bar in bars]
    longest = max(max(bar.value, bar.most or 0, bar.aim or 0) for bar in every)
    scale = (WIDTH - LEFT - ROOM) / longest
    drawn, y = [], TOP
    for name, bars in groups:
        if name:
            drawn.append(f'<text class="group" x="{LEFT + 6}" y="{y + 19}">{escape(name)}</text>')
            y += HEAD
        for bar in bars:
            drawn.append(_row(bar, y, scale))
            y += ROW
        y += 8
    axis = f'<line class="line" x1="{LEFT}" x2="{LEFT}" y1="{TOP}" y2="{y - 8}"/>'
    return f"""<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {y + 10}" role="img" aria-label="{escape(title)}">
<style>{STYLE}</style>
<rect class="page" width="{WIDTH}" height="{y + 10}" rx="8"/>
<text class="title" x="18" y="28">{escape(title)}</text>
<text class="sub" x="18" y="47">{escape(subtitle)}</text>
{axis}
{chr(10).join(drawn)}
</svg>
"""


def _row(bar: Bar, y: int, scale: float) -> str:
    length, middle, top = max(1.5, bar.value * scale), y + ROW / 2, y + (ROW - BAR) / 2
    strong = ' class="strong"' if bar.kind == "ours" else ""
    end = max(bar.value, bar.most or 0, bar.aim or 0) * scale
    parts = [
        f'<text{strong} x="{LEFT - 10}" y="{middle + 4.5}" text-anchor="end">{escape(bar.name)}</text>',
        f'<path class="{bar.kind}" d="{_rounded(LEFT, top, length)}"/>',
    ]
    if bar.least is not None and bar.most is not None and bar.most > bar.least:
        left, right = LEFT + bar.least * scale, LEFT + bar.most * scale
        caps = f"M{left:.1f} {middle - 3}v6M{right:.1f} {middle - 3}v6M{left:.1f} {middle}H{right:.1f}"
        parts.append(f'<path class="spread" d="{caps}"/>')
    if bar.aim is not None:
        at_aim = LEFT + bar.aim * scale
        parts.append(f'<line class="aim" x1="{at_aim:.1f}" x2="{at_aim:.1f}" y1="{y + 1}" y2="{y + ROW - 1}"/>')
    parts.append(f'<text class="value" x="{LEFT + end + 8:.1f}" y="{middle + 4.5}">{escape(bar.label)}</text>')
    return "".join(parts)


def _rounded(x: float, y: float, length: float) -> str:
    """A bar whose right corners are round."""
    r = min(3.0, length)
    straight = length - r
    return f"M{x} {y}h{straight:.1f}a{r} {r} 0 0 1 {r} {r}v{BAR - 2 * r}a{r} {r} 0 0 1 -{r} {r}h-{straight:.1f}z"
