"""The page: one file, no script, nothing fetched, dark where the reader's screen is dark."""

from __future__ import annotations

import base64
import hashlib
from pathlib import Path

from syncline.rehearsal.checklist import Checked, Line
from syncline.rehearsal.checklist.kills import Kills
from syncline.rehearsal.evidence import ActReport
from syncline.rehearsal.report.charts import requests_against, strip, throughput
from syncline.rehearsal.report.markup import Markup, h

STYLE = Path(__file__).with_name("page.css")
MARKS = {"held": "✓", "failed": "✗", "not applicable": "–", "not tried": "?"}
LOOKS = {"held": "held", "failed": "failed", "not applicable": "quiet", "not tried": "untried"}
MOST_STRUCK = 8
"""Faults of an act that are told one by one."""


def page(checked: Checked) -> str:
    """The check as an HTML document; its policy lets in its own style and nothing else."""
    style = STYLE.read_text(encoding="utf-8")
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    policy = f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    head = h(
        "head",
        h("meta", charset="utf-8"),
        h("meta", http_equiv="Content-Security-Policy", content=policy),
        h("meta", name="viewport", content="width=device-width, initial-scale=1"),
        h("meta", name="color-scheme", content="light dark"),
        h("title", f"{checked.integration}: {_verdict(checked)}"),
        Markup(f"<style>{style}</style>"),
    )
    parts = (
        _heading(checked),
        _tiles(checked),
        _lines(checked),
        _charts(checked),
        _faults(checked),
        _kills(checked.kills) if checked.kills is not None else None,
        _footer(checked),
    )
    return "<!doctype html>\n" + h("html", head, h("body", h("main", parts)), lang="en") + "\n"


def _verdict(checked: Checked) -> str:
    missing = sum(not line.holds for line in checked.lines)
    if not missing:
        return "ready for production"
    return f"not ready: {missing} of {len(checked.lines)} lines {'does' if missing == 1 else 'do'} not hold"


def _heading(checked: Checked) -> Markup:
    look = "good" if checked.holds else "bad"
    streams = ", ".join(checked.streams)
    when = f"{checked.started_at:%Y-%m-%d %H:%M} UTC"
    return h(
        "header",
        h("div", _verdict(checked), class_=f"verdict {look}"),
        h("h1", checked.integration),
        h("p", f"Production checklist of {checked.file} ({streams}), {when}, seed {checked.seed}", class_="muted"),
    )


def _tiles(checked: Checked) -> Markup:
    acts = checked.acts
    struck = sum(len(act.struck) for act in acts)
    lost = sum(verdict.lost for act in acts for one in act.passes for verdict in one.verdicts.values())
    tiles = [
        (f"{sum(line.holds for line in checked.lines)} of {len(checked.lines)}", "lines hold"),
        (f"{sum(len(act.passes) for act in acts):,}", "runs"),
        (f"{sum(act.requests for act in acts):,}", "requests"),
        (f"{struck:,}", "faults struck"),
        (f"{len(checked.kills.killed) if checked.kills else 0:,}", "kills"),
        (f"{lost:,}", "records lost"),
    ]
    return h("div", [h("div", h("b", number), h("span", what, class_="muted"), class_="tile") for number, what in tiles],
             class_="tiles")  # fmt: skip


def _lines(checked: Checked) -> Markup:
    return h(
        "section",
        h("h2", "Checklist"),
        h("p", "Each line with what was seen, and the command that shows it again.", class_="muted"),
        h("div", [_line(line) for line in checked.lines], class_="card"),
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


def _charts(checked: Checked) -> Markup | None:
    busiest = sorted(checked.acts, key=lambda act: act.passes[0].ended - act.passes[0].began, reverse=True)
    calm = [act for act in checked.acts if not act.faults]
    largest = max(calm, key=lambda act: sum(one.records for one in act.seen), default=None)
    figures = [throughput(largest) if largest else None]
    for place in range(max((len(act.limits) for act in busiest), default=0)):
        of_limit = [act for act in calm if len(act.limits) > place]
        if of_limit:
            figures.append(requests_against(max(of_limit, key=lambda act: act.limits[place]["highest"]), place))
    drawn = [figure for figure in figures if figure is not None]
    if not drawn:
        return None
    return h("section", h("h2", "Load"), h("p", "What the simulated API saw.", class_="muted"),
             h("div", drawn, class_="charts"))  # fmt: skip


def _faults(checked: Checked) -> Markup | None:
    acts = [act for act in checked.acts if act.struck]
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
    until = act.passes[0].ended
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
    runs = "1 run" if len(act.passes) == 1 else f"{len(act.passes)} runs"
    return h(
        "article",
        h("header", h("b", act.name), h("span", f"{runs}, {act.requests:,} requests", class_="muted")),
        strip(act, seen, length),
        h("div", h("span", "0 s"), h("span", f"{length:.1f} s"), class_="scale"),
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


def _footer(checked: Checked) -> Markup:
    lines = [
        f"Nothing was asked over the network and no production data was touched: the API was simulated from the file, at the same "
        f"seed in the same way. Made by Syncline {checked.syncline} in {checked.seconds:.1f} s.",
        *checked.instead,
        *(
            f"{name}: no value was found that the transforms of {', '.join(targets)} take"
            for name, targets in checked.guessed.items()
        ),
    ]
    return h("footer", [h("p", line) for line in lines])
