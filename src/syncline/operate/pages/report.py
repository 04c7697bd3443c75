"""The page of one run: its account, what passed between us and the API, and what went wrong."""

from __future__ import annotations

from syncline.engine import Account, Report, StreamReport
from syncline.model.units import span
from syncline.operate.pages.frame import page
from syncline.operate.pages.html import Html, join, tag
from syncline.operate.pages.words import badge, count, error_block, size, when

COUNTS = ("read", "written", "unchanged", "rejected", "filtered", "in_doubt")


def report_page(report: Report, *, nonce: str | None = None, home: str | None = None) -> str:
    """A whole document; as a file where there is no `nonce`. `home` is the address of the integration's page."""
    back = tag("nav", tag("a", f"← {report.integration}", href=home)) if home else None
    return page(f"{report.integration} · run {report.run_id[:8]}", back, report_body(report), nonce=nonce)


def report_body(report: Report) -> Html:
    account = report.account
    title = tag("div", tag("h1", report.integration), tag("p", "run ", tag("code", report.run_id), class_="sub"))
    return join(
        (
            tag("header", title, badge(report.status)),
            tag(
                "div",
                _tile(count(account.read), "records read"),
                _tile(count(account.written), "written"),
                _tile(count(account.rejected), "rejected", "bad" if account.rejected else ""),
                _tile(span(report.seconds), "took"),
                class_="tiles",
            ),
            tag("h2", "Error") if report.error else None,
            tag("div", tag("div", error_block(report.error), class_="card"), class_="attention")
            if report.error
            else None,
            tag("h2", "Account"),
            _account(report),
            tag("p", _sum(account), class_="sub"),
            tag("h2", "Between us and the API"),
            _conduct(report),
            _notices(report.streams),
        )
    )


def _tile(number: str, label: str, tone: str = "") -> Html:
    return tag("div", tag("b", number), tag("span", label), class_=f"card tile {tone}".strip())


def _account(report: Report) -> Html:
    head = tag(
        "tr",
        [tag("th", name) for name in ("stream", "status", "mode")],
        [tag("th", name.replace("_", " "), class_="number") for name in (*COUNTS, "deleted")],
        tag("th", "data up to"),
        tag("th", "took", class_="number"),
    )
    rows = [_stream(stream) for stream in report.streams]
    if len(report.streams) > 1:
        rows.append(
            tag("tr", tag("td", tag("b", "all")), tag("td"), tag("td"), _counts(report.account), tag("td"), tag("td"))
        )
    empty = tag("tr", tag("td", "it did not come to its first stream", colspan="12", class_="quiet"))
    return tag("div", tag("table", tag("thead", head), tag("tbody", rows or empty)), class_="card scroll")


def _stream(stream: StreamReport) -> Html:
    mode = stream.sync_mode.replace("_", " ") + (", resumed" if stream.resumed else "")
    return tag(
        "tr",
        tag("td", tag("b", stream.name)),
        tag("td", badge(stream.status)),
        tag("td", mode),
        _counts(stream.account),
        tag("td", tag("span", "–" if stream.cursor is None else str(stream.cursor), class_="mono")),
        tag("td", span(stream.seconds), class_="number"),
    )


def _counts(account: Account) -> Html:
    return join(tag("td", f"{getattr(account, name):,}", class_="number") for name in (*COUNTS, "deleted"))


def _sum(account: Account) -> str:
    right = " + ".join(f"{getattr(account, name):,} {name.replace('_', ' ')}" for name in COUNTS[1:])
    return f"{account.read:,} read {'=' if account.adds_up else '≠'} {right}" + (
        "" if account.adds_up else ": please report this"
    )


def _conduct(report: Report) -> Html:
    conduct = report.conduct
    facts = (
        ("requests", f"{conduct.requests:,}"), ("retries", f"{conduct.retries:,}"),
        ("answers 429", f"{conduct.rate_limited:,}"), ("answers 5xx", f"{conduct.server_errors:,}"),
        ("broken", f"{conduct.broken:,}"), ("answers 401", f"{conduct.refused:,}"), ("tokens obtained", f"{conduct.tokens:,}"),
        ("waited", span(conduct.waited)), ("received", size(conduct.bytes)),
    )  # fmt: skip
    times = tag(
        "p", "started ", when(report.started_at), ", ended ", when(report.finished_at),
        None if report.until is None else (", goes on at ", when(report.until)), class_="sub",
    )  # fmt: skip
    listed = tag("p", [tag("span", tag("b", value), f" {name}") for name, value in facts], class_="facts")
    return tag("div", listed, times, class_="card panel")


def _notices(streams: list[StreamReport]) -> Html | None:
    rows = [
        tag("tr", tag("td", tag("b", stream.name)), tag("td", notice))
        for stream in streams
        for notice in stream.notices
    ]
    if not rows:
        return None
    return join((tag("h2", "Noticed"), tag("div", tag("table", tag("tbody", rows)), class_="card scroll")))
