"""Charts as SVG, drawn here. Shapes stretch with the page, text does not: it stands beside them as HTML."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence

from syncline.rehearsal.evidence import ActReport
from syncline.rehearsal.report.markup import Markup, h
from syncline.rehearsal.simulator.seen import Seen

WIDE, HIGH = 600, 150
BINS, EACH = 60, 5
"""Intervals of a rate at most, and requests that each of them should have."""
STEPS = 400
"""Points of a line; more than a screen shows."""
NICE = (1, 2, 2.5, 5, 10)


def throughput(act: ActReport) -> Markup | None:
    """Records a second over the first run, on the API's clock; None where there was too little to draw."""
    first = act.passes[0]
    seen = [one for one in act.seen if one.kind == "page" and one.at <= first.ended]
    length = max((one.at for one in seen), default=0.0)
    if len(seen) < 3 or length <= 0:
        return None
    bins = min(BINS, max(2, len(seen) // EACH))
    counts = [0.0] * bins
    for one in seen:
        counts[min(bins - 1, int(one.at / length * bins))] += one.records
    rates = [count / (length / bins) for count in counts]
    top = nice(max(rates))
    points = [((place + 0.5) * WIDE / bins, rate) for place, rate in enumerate(rates)]
    points = [(0.0, rates[0]), *points, (float(WIDE), rates[-1])]
    line = _polyline(points, top)
    area = f"0,{HIGH} {line} {WIDE},{HIGH}"
    drawn = _plot(
        h("polygon", points=area, class_="area"), h("polyline", points=line, class_="line"), name="Records a second"
    )
    total = sum(one.records for one in seen)
    told = f"{total:,} records in {_clock(length)} on the API's clock: {total / length:,.0f} a second"
    return _figure("Throughput", "records a second", told, drawn, top=top, length=length)


def requests_against(act: ActReport, place: int = 0) -> Markup | None:
    """How many requests lay within the limit's span at each moment, beside the limit."""
    if len(act.limits) <= place:
        return None
    amount, per, text = act.limits[place]["amount"], act.limits[place]["per"], act.limits[place]["limit"]
    first = act.passes[0]
    times = sorted(one.at for one in act.seen if one.kind in ("page", "other") and one.at <= first.ended)
    length = max(times, default=0.0)
    if len(times) < 3 or length <= 0:
        return None
    top = nice(max(amount * 1.15, act.limits[place]["highest"]))
    points = []
    for step in range(STEPS + 1):
        at = length * step / STEPS
        within = bisect_right(times, at) - bisect_right(times, at - per)
        points.append((step * WIDE / STEPS, float(within)))
    level = HIGH - amount / top * HIGH
    drawn = _plot(
        h("polyline", points=_polyline(points, top), class_="line"),
        h("line", x1=0, x2=WIDE, y1=f"{level:.1f}", y2=f"{level:.1f}", class_="limit"),
        name=f"Requests within the limit's span, and the limit of {text}",
    )
    highest = act.limits[place]["highest"]
    told = f"at most {highest:,} within the span; the limit is {text}"
    return _figure(
        "Requests against the limit", f"requests within the last {_clock(per)}", told, drawn, top=top, length=length
    )


def nice(value: float) -> float:
    """The least round number that is not less."""
    size = 1.0
    while size * 10 < value:
        size *= 10
    while size > value and size > 1e-6:
        size /= 10
    return next(size * step for step in NICE if size * step >= value)


def strip(act: ActReport, seen: Sequence[Seen], length: float) -> Markup:
    """Every request of a run as a bar on a line of time; those that were struck are tall, those that made up for it green."""
    made_up = {struck.asked_again for struck in act.struck}
    bars = []
    for one in seen:
        x = f"{2 + (one.at / length if length else 0.0) * 596:.1f}"
        kind = "struck" if one.fault else "again" if one.number in made_up else "plain"
        y1, y2 = {"struck": (1, 23), "again": (5, 19), "plain": (8, 16)}[kind]
        bars.append(h("line", x1=x, x2=x, y1=y1, y2=y2, class_=f"bar {kind}"))
    base = h("line", x1=0, x2=600, y1=12, y2=12, class_="grid")
    return h(
        "svg", base, bars, viewBox="0 0 600 24", preserveAspectRatio="none", class_="strip", role="img",
        aria_label=f"{len(seen)} requests in {_clock(length)}",
    )  # fmt: skip


def _polyline(points: Sequence[tuple[float, float]], top: float) -> str:
    return " ".join(f"{x:.1f},{HIGH - min(y, top) / top * HIGH:.1f}" for x, y in points)


def _plot(*shapes: Markup, name: str) -> Markup:
    grid = [h("line", x1=0, x2=WIDE, y1=y, y2=y, class_="grid") for y in (0, HIGH / 2, HIGH)]
    return h(
        "svg", grid, shapes, viewBox=f"0 0 {WIDE} {HIGH}", preserveAspectRatio="none", class_="plot", role="img",
        aria_label=name,
    )  # fmt: skip


def _figure(title: str, unit: str, told: str, drawn: Markup, *, top: float, length: float) -> Markup:
    heights = [h("span", f"{value:,g}") for value in (top, top / 2, 0)]
    moments = [h("span", _clock(length * quarter / 4)) for quarter in range(5)]
    return h(
        "figure",
        h("figcaption", h("b", title), h("span", told, class_="muted")),
        h("div", unit, class_="unit muted"),
        h("div", h("div", heights, class_="heights"), drawn, h("div", moments, class_="moments"), class_="chart"),
    )


def _clock(seconds: float) -> str:
    if seconds < 10:
        return f"{seconds:.1f} s" if seconds % 1 else f"{seconds:.0f} s"
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"
