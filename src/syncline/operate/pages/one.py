"""The page of one integration: its runs as charts and as a list, its streams, its rejects, its log."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from syncline.engine import Report
from syncline.model.units import many, span
from syncline.operate.pages.board import attention
from syncline.operate.pages.charts import Bar, columns, key
from syncline.operate.pages.frame import page
from syncline.operate.pages.html import Html, join, tag
from syncline.operate.pages.look import Look, age_meter, bar_of, conduct, doing
from syncline.operate.pages.words import ago, badge, count, when
from syncline.state import DeadLetter, StreamState

RUNS = 50
SHORT = 160


class Depths(msgspec.Struct, frozen=True, kw_only=True):
    """What is not in the reports, and read when somebody looks: from the state and from the log."""

    streams: Sequence[tuple[str, StreamState]] = ()
    rejects: Sequence[tuple[str, DeadLetter]] = ()
    lines: Sequence[Mapping[str, Any]] = ()
    unknown: str | None = None
    """Why the state could not be read."""


class Acts(msgspec.Struct, frozen=True, kw_only=True):
    """Where a page's buttons lead; there are none without."""

    root: str
    proof: str


def one_page(look: Look, depths: Depths, *, acts: Acts | None, nonce: str | None) -> str:
    back = tag("nav", tag("a", "← all integrations", href="/"))
    return page(
        f"{look.name} · Syncline",
        back,
        one(look, depths, acts=acts, runs_at=f"/i/{look.name}/runs/"),
        nonce=nonce,
        live=True,
    )


def one(look: Look, depths: Depths | None, *, acts: Acts | None = None, runs_at: str | None = None) -> Html:
    title = tag("div", tag("h1", look.name), tag("p", _described(look), class_="sub"))
    return join(
        (
            tag("header", title, tag("div", badge(look.status), _buttons(look, acts), class_="actions"), id=look.name),
            _tiles(look),
            tag("h2", "Needs attention") if look.troubles else None,
            tag("div", attention(look, None), class_="attention") if look.troubles else None,
            _charts(look) if look.one.past else None,
            None if depths is None else _streams(look, depths),
            None if depths is None else _rejects(look, depths, acts),
            tag("h2", "Runs"),
            _runs(look, runs_at),
            None if depths is None else _log(depths.lines),
        )
    )


def _described(look: Look) -> Any:
    text = look.one.integration.description if look.one.integration is not None else None
    return (f"{text} · " if text else None, doing(look))


def _buttons(look: Look, acts: Acts | None) -> list[Html]:
    if acts is None:
        return []
    wanted = [("resume", "Resume") if look.one.paused else ("pause", "Pause")]
    if look.one.running is None and look.one.mistake is None:
        wanted.insert(0, ("now", "Run now"))
    return [_button(acts, act, label) for act, label in wanted]


def _button(acts: Acts, act: str, label: str, **fields: object) -> Html:
    hidden = [
        tag("input", type="hidden", name=name, value=value) for name, value in {"proof": acts.proof, **fields}.items()
    ]
    return tag("form", hidden, tag("button", label), method="post", action=f"{acts.root}/{act}")


def _tiles(look: Look) -> Html:
    written, rejected = look.of_last_day()
    ended = [report for report in look.one.past if report.status != "held"]
    good = sum(report.status == "done" for report in ended)
    share = f"{good / len(ended):.0%}" if ended else "–"
    usual = sorted(report.seconds for report in ended)
    tiles: tuple[tuple[Any, str, str], ...] = (
        (count(written), "written in 24 h", ""),
        (count(rejected), "rejected in 24 h", "bad" if rejected else ""),
        (share, f"of the last {len(ended)} runs done", "warn" if ended and good < len(ended) * 0.9 else ""),
        (span(usual[len(usual) // 2]) if usual else "–", "usual duration", ""),
    )
    cards = [
        tag("div", tag("b", number), tag("span", label), class_=f"card tile {tone}".strip())
        for number, label, tone in tiles
    ]
    return tag("div", _age(look), cards, class_="tiles")


def _age(look: Look) -> Html:
    age, target = look.age, look.target
    allowed = f"old, {span(target)} allowed" if target is not None else "old"
    never = age is None
    label = "never complete" if never else allowed
    return tag(
        "div",
        tag("b", "–" if age is None else span(age)),
        tag("span", label),
        None if never or target is None else age_meter(look),
        class_="card tile",
    )


def _charts(look: Look) -> Html:
    past = look.one.past[-RUNS:]
    labels = (ago(past[0].started_at, look.now), ago(past[-1].started_at, look.now))
    kinds = ("written", "unchanged", "rejected")
    records = [bar_of(report, look.now) for report in past]
    seconds = [
        Bar(((report.seconds, "time"),), f"{ago(report.started_at, look.now)}: {span(report.seconds)}")
        for report in past
    ]
    requests = [_requests(report, look) for report in past]
    return join(
        (
            tag("h2", f"The last {len(past)} runs"),
            tag(
                "div",
                _chart("Records", [key(kind, kind) for kind in kinds], columns(records, labels)),
                _chart("Duration", [], columns(seconds, labels, unit=" s")),
                _chart(
                    "Requests",
                    [key("unchanged", "answered"), key("rejected", "retried")],
                    columns(requests, labels),
                    conduct(look),
                ),
                class_="charts",
            ),
        )
    )


def _requests(report: Report, look: Look) -> Bar:
    done = report.conduct
    counts = f"{many(done.requests, 'request')}, {many(done.retries, 'retry', 'retries')}, {done.rate_limited:,} × 429"
    title = f"{ago(report.started_at, look.now)}: {counts}"
    return Bar(((max(done.requests - done.retries, 0), "unchanged"), (done.retries, "rejected")), title)


def _chart(title: str, keys: list[Html], drawn: Html, below: Html | None = None) -> Html:
    return tag("div", tag("h3", title, keys), drawn, below, class_="card chart")


def _streams(look: Look, depths: Depths) -> Html | None:
    if depths.unknown:
        return join(
            (tag("h2", "Streams"), tag("div", f"The state cannot be read: {depths.unknown}", class_="card empty"))
        )
    rows = [
        tag(
            "tr",
            tag("td", tag("b", name)),
            tag("td", "in the middle of a pass" if state.checkpoint.resume is not None else state.status),
            tag(
                "td",
                tag("span", "–" if state.checkpoint.cursor is None else str(state.checkpoint.cursor), class_="mono"),
            ),
            tag("td", when(state.last_sync_at, look.now)),
            tag("td", f"{state.items_synced:,}", class_="number"),
        )
        for name, state in depths.streams
    ]
    return _table("Streams", ("stream", "state", "data up to", "last durable", "rows written"), rows, numbers=(4,))


def _rejects(look: Look, depths: Depths, acts: Acts | None) -> Html | None:
    if not depths.rejects:
        return None
    rows = [
        tag(
            "tr",
            tag("td", str(letter.id), class_="number"),
            tag("td", name),
            tag("td", tag("span", letter.path, class_="mono")),
            tag("td", letter.reason),
            tag("td", tag("span", _short(letter.record), class_="mono")),
            tag(
                "td",
                tag(
                    "div",
                    _button(acts, "retry", "Retry", id=letter.id),
                    _button(acts, "drop", "Drop", id=letter.id),
                    class_="actions",
                ),
            )
            if acts
            else None,
        )
        for name, letter in depths.rejects
    ]
    names = ("id", "stream", "path", "reason", "record", *(("",) if acts else ()))
    return _table("Open rejects", names, rows, numbers=(0,))


def _runs(look: Look, runs_at: str | None) -> Html:
    if not look.one.past:
        return tag("div", "It has not run yet.", class_="card empty")
    rows = []
    for report in reversed(look.one.past[-RUNS:]):
        account = report.account
        run = tag("span", report.run_id[:8], class_="mono")
        what = (report.error or {}).get("what")
        rows.append(
            tag(
                "tr",
                tag("td", tag("a", run, href=f"{runs_at}{report.run_id}") if runs_at else run),
                tag("td", badge(report.status)),
                tag("td", when(report.started_at, look.now)),
                [
                    tag("td", f"{number:,}", class_="number")
                    for number in (account.read, account.written, account.rejected)
                ],
                tag("td", f"{report.conduct.requests:,}", class_="number"),
                tag("td", span(report.seconds), class_="number"),
                tag("td", str(what)[:SHORT] if what else "", class_="quiet"),
            )
        )
    names = ("run", "status", "started", "read", "written", "rejected", "requests", "took", "")
    return _table(None, names, rows, numbers=(3, 4, 5, 6, 7))


def _log(lines: Sequence[Mapping[str, Any]]) -> Html | None:
    if not lines:
        return None
    return join((tag("h2", "Log"), tag("div", [_line(line) for line in lines], class_="card log", tabindex="0")))


def _line(line: Mapping[str, Any]) -> Html:
    known = ("timestamp", "level", "event", "run_id", "integration")
    rest = "  ".join(f"{name}={value}" for name, value in line.items() if name not in known)
    level = str(line.get("level", ""))
    return tag(
        "div",
        tag("time", str(line.get("timestamp", ""))[:19].replace("T", " ")),
        " ",
        tag("span", str(line.get("run_id", ""))[:8].ljust(8), class_="id"),
        " ",
        tag("span", f"{level:<7} {line.get('event', '')}", class_=level if level in ("warning", "error") else None),
        f"  {rest}"[:400],
    )


def _table(title: str | None, names: Sequence[str], rows: Sequence[Html], *, numbers: tuple[int, ...] = ()) -> Html:
    head = tag(
        "tr", [tag("th", name, class_="number" if place in numbers else None) for place, name in enumerate(names)]
    )
    table = tag("div", tag("table", tag("thead", head), tag("tbody", list(rows))), class_="card scroll")
    return join((tag("h2", title) if title else None, table))


def _short(record: Any) -> str:
    text = msgspec.json.encode(record, enc_hook=str).decode("utf-8", "replace")
    return text if len(text) <= SHORT else text[: SHORT - 1] + "…"
