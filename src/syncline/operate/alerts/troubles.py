"""What is not well with an integration, out of its runs: pure rules."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from math import log, log1p
from statistics import median

import msgspec

from syncline.engine import Report
from syncline.http.trust import OURS
from syncline.model.units import span
from syncline.operate.monitor import Live
from syncline.operate.served import Served

QUOTA_LOW = 0.1
"""The share of a quota below which it is nearly used."""
HISTORY = 10
"""Finished runs without which history says nothing."""
AT_LEAST = 4.0
"""A volume is never an anomaly that is within a quarter and four times what is usual."""
SPREADS = 6.0
"""Beyond so many usual deviations (median absolute deviation of the logarithm, scaled to a normal one)."""


class Trouble(msgspec.Struct, frozen=True, kw_only=True):
    """Something that lasts until it is over. `kind` is what the file's `on` names; there is one of each at most."""

    kind: str
    title: str
    detail: str = ""
    hint: str = ""
    severity: str = "error"
    share: float = 1.0
    """For dead letters: their share of what was read."""


def troubles_of(one: Served, live: Live, now: datetime, since: datetime) -> Iterator[Trouble]:
    """Everything that is not well now. `since` is when the server began to look, for data that was never fresh."""
    last = one.past[-1] if one.past else None
    if one.mistake is not None:
        mistakes = one.mistake.get("mistakes") or [one.mistake]
        yield Trouble(
            kind="failed", title="the file cannot be run", detail=_line(mistakes[0]), hint=f"syncline check {one.path}"
        )
    elif last is not None and last.status in ("failed", "partial") and not _only_rejects(last):
        error = last.error or {}
        yield Trouble(
            kind="failed",
            title=f"the last run {'failed' if last.status == 'failed' else 'is not complete'}",
            detail=str(error.get("what", "")),
            hint=str(error.get("hint") or f"syncline report {one.path}"),
        )
    yield from _staleness(one, now, since)
    yield from _rejects(one, last)
    done = [report for report in one.past if report.status in ("done", "partial")]
    if last is not None and done and done[-1] is last and not last.error:
        yield from _volume(done[:-1], last)
    if live.changes:
        detail = "; ".join(live.changes[:5]) + (f"; and {len(live.changes) - 5} more" if len(live.changes) > 5 else "")
        yield Trouble(kind="schema", title="the destination's schema was changed", detail=detail, severity="info")
    if live.ends_at is not None:
        yield _ending(one, live.credential or "", live.ends_at, now)
    if live.quota is not None and live.quota < QUOTA_LOW:
        title = f"{max(live.quota, 0.0):.0%} of the API's quota is left"
        yield Trouble(
            kind="quota", title=title, severity="warning", hint="run less often, or ask the API's owner for more"
        )
    if live.circuit == "open":
        yield Trouble(kind="circuit", title="the circuit breaker is open", detail=live.circuit_reason)


def _ending(one: Served, credential: str, ends_at: datetime, now: datetime) -> Trouble:
    """A token, a certificate of ours, or one of theirs."""
    left = (ends_at - now).total_seconds()
    title = f"the {credential} {f'runs out in {span(left)}' if left > 0 else f'ran out {span(-left)} ago'}"
    hint = f"syncline login {one.path}"
    if credential == OURS:
        hint = "get a new one from whoever issued it, and put it where certificate points"
    elif credential.startswith("certificate"):
        hint = "ask the provider to renew it"
    detail = f"{ends_at:%Y-%m-%d %H:%M} UTC"
    return Trouble(kind="credentials", title=title, detail=detail, hint=hint, severity="warning")


def _staleness(one: Served, now: datetime, since: datetime) -> Iterator[Trouble]:
    target = one.integration.target(now) if one.integration is not None else None
    fresh_at = one.fresh_at or since
    age = (now - fresh_at).total_seconds()
    if target is not None and age > target:
        came = f"the last complete run ended {span(age)} ago" if one.fresh_at else "no run has been complete yet"
        yield Trouble(
            kind="stale",
            title=f"the data is older than {span(target)}",
            detail=came,
            hint=f"syncline status {one.path}",
        )


def _only_rejects(report: Report) -> bool:
    account = report.account
    return report.status == "partial" and bool(account.rejected) and not account.in_doubt


def _rejects(one: Served, last: Report | None) -> Iterator[Trouble]:
    account = last.account if last is not None else None
    if account is not None and account.rejected and account.read:
        share = account.rejected / account.read
        title = f"{account.rejected:,} of {account.read:,} records were rejected ({share:.1%})"
        yield Trouble(
            kind="dead_letters", title=title, hint=f"syncline rejects list {one.path}", severity="warning", share=share
        )


def _volume(before: Sequence[Report], last: Report) -> Iterator[Trouble]:
    """Nothing where there was always something; far more or far less than ever. Runs of the same mode are compared."""
    modes = _modes(last)
    counts = [sum(stream.account.read for stream in report.streams) for report in before if _modes(report) == modes]
    if len(counts) < HISTORY:
        return
    read, usual = last.account.read, median(counts)
    if read == 0:
        if min(counts) > 0:
            title = "the run found no records"
            yield Trouble(
                kind="empty",
                title=title,
                detail=f"the {len(counts)} runs before found {usual:,.0f} each, at the median",
            )
        return
    logs = [log1p(count) for count in counts]
    middle = median(logs)
    spread = 1.4826 * median(abs(one - middle) for one in logs)
    if abs(log1p(read) - middle) > max(log(AT_LEAST), SPREADS * spread):
        title = f"{read:,} records, where {usual:,.0f} are usual"
        yield Trouble(kind="volume", title=title, severity="warning")


def _modes(report: Report) -> tuple[str, ...]:
    return tuple(stream.sync_mode for stream in report.streams)


def _line(mistake: dict[str, object]) -> str:
    place = f"{mistake['file']}:{mistake['line']}: " if mistake.get("line") else ""
    path = f"{mistake['path']}: " if mistake.get("path") else ""
    return f"{place}{path}{mistake.get('what', '')}"
