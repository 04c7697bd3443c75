"""The page: one file, no script, nothing fetched, dark where the reader's screen is dark."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from pathlib import Path

from syncline import __version__
from syncline.rehearsal.checklist import Checked, Line
from syncline.rehearsal.checklist.kills import Kills
from syncline.rehearsal.evidence import ActReport, Rehearsal
from syncline.rehearsal.report.charts import requests_against, strip, throughput
from syncline.rehearsal.report.markup import Markup, h

STYLE = Path(__file__).with_name("page.css")
MARKS = {"held": "✓", "failed": "✗", "not applicable": "–", "not tried": "?"}
LOOKS = {"held": "held", "failed": "failed", "not applicable": "quiet", "not tried": "untried"}
MOST_STRUCK = 8
"""Faults of an act that are told one by one."""


def page(rehearsal: Rehearsal) -> str:
    """A rehearsal, judged or not, as an HTML document; its policy lets in its own style and nothing else."""
    style = STYLE.read_text(encoding="utf-8")
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    policy = f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    head = h(
        "head",
        h("meta", charset="utf-8"),
        h("meta", http_equiv="Content-Security-Policy", content=policy),
        h("meta", name="viewport", content="width=device-width, initial-scale=1"),
        h("meta", name="color-scheme", content="light dark"),
        h("title", f"{rehearsal.integration}: {_verdict(rehearsal)}"),
        Markup(f"<style>{style}</style>"),
    )
    checked = rehearsal if isinstance(rehearsal, Checked) else None
    parts = (
        _heading(rehearsal),
        _tiles(rehearsal),
        _lines(checked.lines) if checked else None,
        _charts(rehearsal.acts),
        _faults(rehearsal.acts),
        _kills(checked.kills) if checked and checked.kills is not None else None,
        _footer(rehearsal),
    )
    return "<!doctype html>\n" + h("html", head, h("body", h("main", parts)), lang="en") + "\n"


def _verdict(rehearsal: Rehearsal) -> str:
    if not isinstance(rehearsal, Checked):
        failed = sum(not act.holds for act in rehearsal.acts)
        return "every act holds" if not failed else f"{failed} of {len(rehearsal.acts)} acts do not hold"
    missing = sum(not line.holds for line in rehearsal.lines)
    if not missing:
        return "ready for production"
    return f"not ready: {missing} of {len(rehearsal.lines)} lines {'does' if missing == 1 else 'do'} not hold"


def _heading(rehearsal: Rehearsal) -> Markup:
    look = "good" if rehearsal.holds else "bad"
    what = f"Production checklist ({', '.join(rehearsal.streams)})" if isinstance(rehearsal, Checked) else "Rehearsal"
    when = f"{rehearsal.started_at:%Y-%m-%d %H:%M} UTC"
    return h(
        "header",
        h("div", _verdict(rehearsal), class_=f"verdict {look}"),
        h("h1", rehearsal.integration),
        h("p", f"{what} of {rehearsal.file}, {when}, seed {rehearsal.seed}", class_="muted"),
    )


def _tiles(rehearsal: Rehearsal) -> Markup:
    acts = rehearsal.acts
    lost = sum(verdict.lost for act in acts for one in act.passes for verdict in one.verdicts.values())
    tiles = [
        (f"{sum(len(act.passes) for act in acts):,}", "runs"),
        (f"{sum(act.requests for act in acts):,}", "requests"),
        (f"{sum(len(act.struck) for act in acts):,}", "faults struck"),
        (f"{lost:,}", "records lost"),
    ]
    if isinstance(rehearsal, Checked):
        lines = rehearsal.lines
        tiles.insert(0, (f"{sum(line.holds for line in lines)} of {len(lines)}", "lines hold"))
        tiles.insert(4, (f"{len(rehearsal.kills.killed) if rehearsal.kills else 0:,}", "kills"))
    return h("div", [h("div", h("b", number), h("span", what, class_="muted"), class_="tile") for number, what in tiles],
             class_="tiles")  # fmt: skip


def _lines(lines: Sequence[Line]) -> Markup:
    return h(
        "section",
        h("h2", "Checklist"),
        h("p", "Each line with what was seen, and the command that shows it again.", class_="muted"),
        h("div", [_line(line) for line in lines], class_="card"),
    )


def _line(line: Line) -> Markup:
    fix = h("li", h("b", "fix "), h("code", line.fix), class_="fix") if line.fix else None
    return h(
        "div",
        h("div", MARKS[line.status], class_="mark"),
        h("div", h("h3", line.what[:1].upper() + line.what[1:]), h("div", line.status, class_="word")),
        h("ul", [h("li", _evidence(said)) for said in line.evidence], fix),
        h("div", h("code", line.again), class_="again") if line.again else None,
        class_=f"line {LOOKS[line.status]}",
    )


def _evidence(said: str) -> Markup | str:
    return h("code", said) if said.startswith("{") else said


def _charts(played: Sequence[ActReport]) -> Markup | None:
    acts = [act for act in played if act.passes]
    largest = max(acts, key=lambda act: sum(one.records for one in act.seen), default=None)
    figures = [throughput(largest) if largest else None]
    for place in range(max((len(act.limits) for act in acts), default=0)):
        limited = [act for act in acts if len(act.limits) > place]
        figures.append(requests_against(max(limited, key=lambda act: (_used(act, place), act.requests)), place))
    drawn = [figure for figure in figures if figure is not None]
    if not drawn:
        return None
    return h("section", h("h2", "Load"), h("p", "What the simulated API saw.", class_="muted"),
             h("div", drawn, class_="charts"))  # fmt: skip


def _used(act: ActReport, place: int) -> float:
    return float(act.limits[place]["highest"] / act.limits[place]["amount"])


def _faults(played: Sequence[ActReport]) -> Markup | None:
    acts = [act for act in played if act.struck or act.problems]
    if not acts:
        return None
    keys = (("struck", "struck by a fault"), ("again", "asked again"), ("plain", "any other request"))
    key = [
        h(
            "span",
            h("svg", h("line", x1=3, x2=3, y1=1, y2=13, class_=f"bar {kind}"), viewBox="0 0 6 14"),
            what,
            class_="key",
        )
        for kind, what in keys
    ]
    return h(
        "section",
        h("h2", "Faults, and what became of each"),
        h("p", key, class_="muted"),
        h("div", [_act(act) for act in acts], class_="acts"),
    )


def _act(act: ActReport) -> Markup:
    until = act.passes[0].ended if act.passes else 0.0
    seen = [one for one in act.seen if one.at <= until]
    length = max((one.at for one in seen), default=0.0)
    struck = [
        h(
            "li",
            h("time", f"{one.at:.1f} s" if one.at < 100 else f"{one.at / 60:.0f} min"),
            h("span", one.line, " ", h("span", f"→ {one.became}", class_="became")),
        )
        for one in act.struck[:MOST_STRUCK]
    ]
    more = len(act.struck) - MOST_STRUCK
    if more > 0:
        struck.append(h("li", h("time"), h("span", f"and {more} more", class_="became")))
    runs = "1 run" if len(act.passes) == 1 else f"{len(act.passes) or 2} runs"
    return h(
        "article",
        h("header", h("b", act.name), h("span", f"{runs}, {act.requests:,} requests", class_="muted")),
        [strip(act, seen, length), h("div", h("span", "0 s"), h("span", f"{length:.1f} s"), class_="scale")]
        if seen
        else None,
        h("ul", struck, class_="struck-list"),
        [h("p", problem, class_="problem") for problem in act.problems[:3]],
        class_="card act",
    )


def _kills(kills: Kills) -> Markup:
    def told(station: str, whole: bool, resumed: bool) -> Markup:
        mark = h("span", "✓" if whole else "✗", class_="ok" if whole else "no")
        return h("div", mark, h("span", station), h("span", "went on" if resumed else "", class_="muted"))

    return h(
        "section",
        h("h2", "Killed, and run again"),
        h(
            "p",
            "kill -9 at each station of a record's way; “went on” where part of a pass had been written.",
            class_="muted",
        ),
        h("div", [told(one.station, one.whole, bool(one.must_resume)) for one in kills.killed], class_="card stations"),
    )


def _footer(rehearsal: Rehearsal) -> Markup:
    asked = "No API was asked" if rehearsal.scratch else "Nothing was asked over the network"
    lines = [
        f"{asked} and no production data was touched: the API was simulated from the file, at the same seed in the same way. "
        f"Made by Syncline {__version__} in {rehearsal.seconds:.1f} s.",
        *rehearsal.notes,
    ]
    return h("footer", [h("p", line) for line in lines])
