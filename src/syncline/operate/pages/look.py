"""What the pages show of one integration, and the parts of it that several pages have."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any

import msgspec

from syncline.engine import Account, Report
from syncline.model.units import span
from syncline.operate.alerts.troubles import Trouble
from syncline.operate.monitor import Live
from syncline.operate.pages.charts import Bar, meter, runs_strip
from syncline.operate.pages.html import Html, tag
from syncline.operate.pages.words import TONES, ago, badge, count, when
from syncline.operate.served import Served

STRIP = 30
DAY = timedelta(days=1)

Link = Callable[[str], str]
"""From an integration's name to the address of its page."""


class Look(msgspec.Struct, frozen=True):
    """An integration at one moment."""

    one: Served
    live: Live
    troubles: Sequence[Trouble]
    now: datetime

    @property
    def name(self) -> str:
        return self.one.name

    @property
    def last(self) -> Report | None:
        return self.one.past[-1] if self.one.past else None

    @property
    def status(self) -> str:
        """The one word for how it is; what somebody has to act on goes first."""
        if self.one.mistake is not None:
            return "broken"
        if self.one.running is not None:
            return "running"
        if self.last is not None and self.last.status in ("failed", "partial"):
            return self.last.status
        if self.one.paused:
            return "paused"
        if any(trouble.kind == "stale" for trouble in self.troubles):
            return "stale"
        return self.last.status if self.last is not None else "waiting"

    @property
    def needs_attention(self) -> bool:
        return any(trouble.severity in ("error", "warning") for trouble in self.troubles)

    @property
    def target(self) -> float | None:
        return self.one.integration.target(self.now) if self.one.integration is not None else None

    @property
    def age(self) -> float | None:
        """Seconds since the last complete run ended."""
        fresh_at = self.one.fresh_at
        return None if fresh_at is None else (self.now - fresh_at).total_seconds()

    def of_last_day(self) -> tuple[int, int]:
        """How many records the runs of the last 24 hours have written, and rejected."""
        since = self.now - DAY
        accounts = [
            stream.account for report in self.one.past if report.started_at >= since for stream in report.streams
        ]
        return sum(one.written for one in accounts), sum(one.rejected for one in accounts)


def heading(look: Look, link: Link | None) -> Html:
    """Name, status, and what it is doing or waits for."""
    name = tag("a", look.name, href=link(look.name)) if link else look.name
    return tag("div", tag("div", name, badge(look.status), class_="name"), tag("p", doing(look), class_="sub"))


def doing(look: Look) -> Any:
    """`every 15 minutes · next in 4 min`, or how far the run is."""
    one, live, now = look.one, look.live, look.now
    schedule = str(one.schedule) if one.schedule is not None else "runs when asked"
    if one.mistake is not None:
        return str(one.path)
    if one.running is not None:
        of = f" of {count(live.total)}" if live.total else ""
        far = f"{live.stream or 'starting'} · {count(live.records)}{of} records" if live.run_id else "starting"
        until = live.waiting_until
        left = f" {span((until - now).total_seconds())}" if until else ""
        waits = f" · waits{left}: {live.waiting}" if live.waiting and (until is None or until > now) else ""
        return f"{far} · for {span((now - one.running.since).total_seconds())}{waits}"
    if one.paused:
        return f"{schedule} · paused"
    if one.due is None:
        return schedule
    return (f"{schedule} · next ", when(one.due, now) if one.due > now else "as soon as there is room")


def freshness(look: Look) -> Html:
    """The data's age beside its target."""
    age, target = look.age, look.target
    if age is None:
        return tag("div", tag("p", "never complete", class_="sub"))
    if target is None:
        return tag("div", tag("p", f"{span(age)} old", class_="sub"))
    return tag("div", age_meter(look), tag("p", tag("b", span(age)), f" of {span(target)}", class_="sub"))


def age_meter(look: Look) -> Html | None:
    """How much of the time is used up in which the data counts as fresh."""
    age, target = look.age, look.target
    if age is None or target is None:
        return None
    share = age / target
    tone = "good" if share <= 0.7 else "warn" if share <= 1 else "bad"
    return meter(share, tone, f"{span(age)} old, {span(target)} allowed")


def strip(look: Look) -> Html:
    past = look.one.past[-STRIP:]
    if not past:
        return tag("span")
    bars = [Bar(_parts(report.account), "") for report in past[:-1]]  # only the last one's title is shown
    return runs_strip([*bars, bar_of(past[-1], look.now)], [TONES.get(report.status, "quiet") for report in past])


def _parts(account: Account) -> tuple[tuple[int, str], ...]:
    return (account.written, "written"), (account.unchanged, "unchanged"), (account.rejected, "rejected")


def bar_of(report: Report, now: datetime) -> Bar:
    """A run as a column: written below, unchanged on it, rejected on top."""
    account = report.account
    title = f"{ago(report.started_at, now)}: {report.status}, {account.read:,} read, {account.written:,} written"
    return Bar(_parts(account), title + (f", {account.rejected:,} rejected" if account.rejected else ""))


def numbers(look: Look) -> Html:
    """What the last run did."""
    if look.last is None:
        return tag("p", "no run yet", class_="sub")
    account = look.last.account
    return tag(
        "p",
        tag("span", tag("b", count(account.written)), " written"),
        tag("span", tag("b", count(account.rejected)), " rejected", class_="bad") if account.rejected else None,
        tag("span", tag("b", count(account.in_doubt)), " in doubt", class_="bad") if account.in_doubt else None,
        tag("span", f"of {count(account.read)}"),
        class_="facts",
    )


def conduct(look: Look) -> Html:
    """What passed between us and the API: requests, retries, quota, breaker, token."""
    live, last = look.live, look.last
    facts: list[Html | None] = []
    if last is not None:
        done = last.conduct
        facts.append(tag("span", tag("b", count(done.requests)), " request" if done.requests == 1 else " requests"))
        retries = " retry" if done.retries == 1 else " retries"
        facts.append(tag("span", tag("b", count(done.retries)), retries, class_="warn") if done.retries else None)
        facts.append(
            tag("span", tag("b", count(done.rate_limited)), " × 429", class_="warn") if done.rate_limited else None
        )
    if live.quota is not None:
        facts.append(
            tag("span", tag("b", f"{live.quota:.0%}"), " quota left", class_="warn" if live.quota < 0.1 else None)
        )
    if live.circuit != "closed":
        facts.append(tag("span", "circuit ", tag("b", live.circuit.replace("_", " ")), class_="bad"))
    if live.ends_at is not None:
        facts.append(tag("span", f"{live.credential} ends ", tag("b", when(live.ends_at, look.now)), class_="warn"))
    return tag("p", facts, class_="facts")
